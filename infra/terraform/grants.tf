# What infra/grants.yaml says, as IAM: one custom role a verb, given on the bucket under a condition
# that names the objects. infra/grants.py reads the same table, and says what it means.

locals {
  grants = yamldecode(file("${path.module}/../grants.yaml"))

  # https://cloud.google.com/storage/docs/access-control/iam-json
  verbs = {
    get    = ["storage.objects.get"]
    list   = ["storage.objects.list"]
    create = ["storage.objects.create"]
    write  = ["storage.objects.create", "storage.objects.delete"]
    delete = ["storage.objects.delete"]
  }

  buckets = {
    uploads = google_storage_bucket.uploads.name
    models  = google_storage_bucket.models.name
    control = google_storage_bucket.control.name
  }

  all_grants = concat(
    flatten([
      for name, row in local.grants.functions : [
        for bucket, verbs in try(row.buckets, {}) : [
          for verb, objects in verbs : { name = name, bucket = bucket, verb = verb, objects = objects }
        ]
      ]
    ]),
    flatten([
      for name in ["serving", "router"] : [
        for bucket, verbs in local.grants[name].buckets : [
          for verb, objects in verbs : { name = name, bucket = bucket, verb = verb, objects = objects }
        ]
      ]
    ]),
  )

  # "on_upload control get" => who, where, what, and the condition that names the objects: "customers/"
  # begins so, "*.status.json" ends so, "shards/*/boot/" has one part in between that may be any, and
  # "*" is every object and needs no condition.
  # https://cloud.google.com/iam/docs/conditions-attribute-reference#resource-name
  object_grants = {
    for one in local.all_grants : "${one.name} ${one.bucket} ${one.verb}" => merge(one, {
      condition = contains(one.objects, "*") ? "" : join(" || ", [
        for object in one.objects :
        startswith(object, "*") ? "resource.name.endsWith(\"${trimprefix(object, "*")}\")" :
        strcontains(object, "*") ? "resource.name.extract(\"${local.objects_of[one.bucket]}${replace(object, "*", "{part}")}\") != \"\"" :
        "resource.name.startsWith(\"${local.objects_of[one.bucket]}${object}\")"
      ])
    })
  }
  objects_of = { for role, bucket in local.buckets : role => "projects/_/buckets/${bucket}/objects/" }

  # "on_upload admission-requests" => who publishes on what.
  publications = merge([
    for name, row in local.grants.functions : {
      for topic in try(row.publish, []) : "${name} ${topic}" => { name = name, topic = topic }
    }
  ]...)

  # "admit_model probe_model" => who calls whom.
  calls = merge([
    for name, row in local.grants.functions : {
      for callee in try(row.call, []) : "${name} ${callee}" => { caller = name, callee = callee }
    }
  ]...)

  verb_roles = { for verb, role in google_project_iam_custom_role.verb : verb => "projects/${var.project_id}/roles/${role.role_id}" }
}

resource "google_project_iam_custom_role" "verb" {
  for_each = toset(local.all_grants[*].verb)

  role_id     = "berth${title(each.key)}"
  title       = "Berth: ${each.key}"
  description = "${title(each.key)} objects"
  permissions = local.verbs[each.key]

  depends_on = [google_project_service.berth]
}

resource "google_storage_bucket_iam_member" "function" {
  for_each = { for key, grant in local.object_grants : key => grant if !contains(keys(local.pods), grant.name) }

  bucket = local.buckets[each.value.bucket]
  role   = local.verb_roles[each.value.verb]
  member = "serviceAccount:${local.function_emails[each.value.name]}"

  dynamic "condition" {
    for_each = compact([each.value.condition])

    content {
      title      = each.key
      expression = condition.value
    }
  }

  # Another condition is another grant: it is there before the old one goes, so that no function is
  # without.
  lifecycle {
    create_before_destroy = true
  }
}

moved {
  from = google_storage_bucket_iam_member.serving
  to   = google_storage_bucket_iam_member.pods
}

# The pool of workload identities comes into being with the first cluster that has one.
resource "google_storage_bucket_iam_member" "pods" {
  for_each = { for key, grant in local.object_grants : key => grant if contains(keys(local.pods), grant.name) }

  bucket = local.buckets[each.value.bucket]
  role   = local.verb_roles[each.value.verb]
  member = local.pods[each.value.name]

  dynamic "condition" {
    for_each = compact([each.value.condition])

    content {
      title      = each.key
      expression = condition.value
    }
  }

  depends_on = [google_container_cluster.berth]
}

resource "google_pubsub_topic_iam_member" "function" {
  for_each = local.publications

  topic  = google_pubsub_topic.topic[each.value.topic].name
  role   = "roles/pubsub.publisher"
  member = "serviceAccount:${local.function_emails[each.value.name]}"
}
