# The functions, as functions/functions.yaml says. Those that are called over HTTP come first: the
# others are told where they are.

locals {
  table = yamldecode(file("${path.module}/../../functions/functions.yaml"))

  functions = {
    for name, row in local.table.functions : name => merge(
      { for key, value in local.table.defaults : key => value if key != "environment" },
      row,
      {
        name = name
        # An explicit empty environment means none at all.
        environment = try(length(row.environment) == 0, false) ? {} : merge(local.table.defaults.environment, try(row.environment, {}))
      },
    )
  }
  called    = { for name, function in local.functions : name => function if can(function.trigger.http) }
  triggered = { for name, function in local.functions : name => function if !can(function.trigger.http) }

  # A bucket's events come by a topic too.
  trigger_topics = {
    for name, function in local.triggered :
    name => can(function.trigger.bucket) ? "${function.trigger.bucket}-finalized" : function.trigger.topic
  }

  # What ${NAME} in an environment stands for.
  called_values = {
    GOOGLE_CLOUD_PROJECT   = var.project_id
    BERTH_UPLOADS_BUCKET   = google_storage_bucket.uploads.name
    BERTH_MODELS_BUCKET    = google_storage_bucket.models.name
    BERTH_CONTROL_BUCKET   = google_storage_bucket.control.name
    BERTH_EVENTS_TOPIC     = local.topic_ids["model-events"]
    BERTH_ADMISSION_TOPIC  = local.topic_ids["admission-requests"]
    BERTH_SHARD_TOPIC      = local.topic_ids["shard-requests"]
    BERTH_NAMESPACE        = "berth"
    BERTH_SERVING_MACHINE  = var.serving_pool.machine_type
    BERTH_SERVING_DISK_GIB = tostring(var.serving_pool.disk_gb)
    BERTH_IMAGE_REGISTRY   = "${google_artifact_registry_repository.berth.location}-docker.pkg.dev/${var.project_id}"
  }
  triggered_values = merge(local.called_values, {
    BERTH_PROBE_URL         = google_cloudfunctions2_function.called["probe_model"].service_config[0].uri
    BERTH_CLUSTER_ENDPOINT  = "https://${google_container_cluster.berth.private_cluster_config[0].private_endpoint}"
    BERTH_CLUSTER_AUTHORITY = google_container_cluster.berth.master_auth[0].cluster_ca_certificate
  })

  # A name that is not known is an error of the plan: the index below finds nothing.
  called_environments = {
    for name, function in local.called : name => {
      for key, text in function.environment : key => join("", [
        for piece in regexall("[$][{][A-Z_]+[}]|[^$]+|[$]", text) :
        startswith(piece, "$") && length(piece) > 1 ? local.called_values[substr(piece, 2, length(piece) - 3)] : piece
      ])
    }
  }
  triggered_environments = {
    for name, function in local.triggered : name => {
      for key, text in function.environment : key => join("", [
        for piece in regexall("[$][{][A-Z_]+[}]|[^$]+|[$]", text) :
        startswith(piece, "$") && length(piece) > 1 ? local.triggered_values[substr(piece, 2, length(piece) - 3)] : piece
      ])
    }
  }

  # The one function that reaches into the network.
  in_network = ["reconcile_shard"]
}

resource "google_cloudfunctions2_function" "called" {
  #checkov:skip=CKV_GCP_124:A call from another function does not come from the network, and people ask the status; IAM refuses everybody else
  for_each = local.called

  name        = "berth-${replace(each.key, "_", "-")}"
  location    = var.region
  description = "Berth's ${each.key} (${var.environment})"

  build_config {
    runtime           = each.value.runtime
    entry_point       = each.key
    docker_repository = local.image_repository
    service_account   = local.builder_id

    source {
      storage_source {
        bucket = google_storage_bucket_object.bundle[each.key].bucket
        object = google_storage_bucket_object.bundle[each.key].name
      }
    }
  }

  service_config {
    available_cpu                    = tostring(each.value.cpu)
    available_memory                 = "${each.value.memory}Mi"
    timeout_seconds                  = each.value.timeout
    max_instance_request_concurrency = each.value.concurrency
    min_instance_count               = 0
    max_instance_count               = each.value.instances
    environment_variables            = local.called_environments[each.key]
    service_account_email            = local.function_emails[each.key]

    # One function's call to another does not come from the network, so that "internal" would refuse
    # it. Who may call is for IAM: invokers.tf.
    ingress_settings = "ALLOW_ALL"
  }

  depends_on = [
    google_artifact_registry_repository_iam_member.builder,
    google_project_iam_member.builder_logs,
    google_project_iam_member.builder_sources,
    google_storage_bucket_iam_member.builder,
  ]
}

resource "google_cloudfunctions2_function" "triggered" {
  for_each = local.triggered

  name        = "berth-${replace(each.key, "_", "-")}"
  location    = var.region
  description = "Berth's ${each.key} (${var.environment})"

  build_config {
    runtime           = each.value.runtime
    entry_point       = each.key
    docker_repository = local.image_repository
    service_account   = local.builder_id

    source {
      storage_source {
        bucket = google_storage_bucket_object.bundle[each.key].bucket
        object = google_storage_bucket_object.bundle[each.key].name
      }
    }
  }

  service_config {
    available_cpu                    = tostring(each.value.cpu)
    available_memory                 = "${each.value.memory}Mi"
    timeout_seconds                  = each.value.timeout
    max_instance_request_concurrency = each.value.concurrency
    min_instance_count               = 0
    max_instance_count               = each.value.instances
    environment_variables            = local.triggered_environments[each.key]
    service_account_email            = local.function_emails[each.key]
    ingress_settings                 = "ALLOW_INTERNAL_ONLY"

    direct_vpc_egress = contains(local.in_network, each.key) ? "VPC_EGRESS_PRIVATE_RANGES_ONLY" : null

    dynamic "direct_vpc_network_interface" {
      for_each = contains(local.in_network, each.key) ? [true] : []

      content {
        network    = google_compute_network.berth.name
        subnetwork = google_compute_subnetwork.functions.name
      }
    }
  }

  event_trigger {
    event_type            = "google.cloud.pubsub.topic.v1.messagePublished"
    pubsub_topic          = local.topic_ids[local.trigger_topics[each.key]]
    trigger_region        = var.region
    service_account_email = local.trigger_email
    retry_policy          = "RETRY_POLICY_RETRY"
  }

  depends_on = [
    google_artifact_registry_repository_iam_member.builder,
    google_project_iam_member.builder_logs,
    google_project_iam_member.builder_sources,
    google_storage_bucket_iam_member.builder,
  ]
}
