# What wakes somebody, and what to look at first. Conditions over our own log-based metrics and over Prometheus
# are in PromQL with disable_metric_validation: a project that is deployed for the first time has no such series
# yet, and Monitoring refuses the policy (hashicorp/terraform-provider-google#11102).

locals {
  channels = [for channel in google_monitoring_notification_channel.email : channel.id]

  serving_nodes_max = var.serving_pool.nodes_max * length(var.zones)
}

resource "google_monitoring_notification_channel" "email" {
  for_each = toset(var.alert_emails)

  display_name = "Berth: ${each.value}"
  type         = "email"
  labels       = { email_address = each.value }

  depends_on = [google_project_service.berth]
}

resource "google_monitoring_alert_policy" "dead_letters" {
  display_name          = "Berth: a message was given up"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = local.channels

  conditions {
    display_name = "Dead letters are waiting"

    condition_threshold {
      filter          = "resource.type = \"pubsub_subscription\" AND metric.type = \"pubsub.googleapis.com/subscription/num_undelivered_messages\" AND resource.labels.subscription_id = ends_with(\"-dead\")"
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"

      aggregations {
        alignment_period     = "60s"
        per_series_aligner   = "ALIGN_MAX"
        cross_series_reducer = "REDUCE_MAX"
        group_by_fields      = ["resource.labels.subscription_id"]
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = <<-EOT
      A function failed on the same message until its attempts were used up. Nothing is lost: the next tick and
      the hourly sweep look at the world again.

      1. `gcloud pubsub subscriptions pull SUBSCRIPTION --limit=10` (without --auto-ack) shows what it was.
      2. The function's log, by `event_id`: lines `delivery refused` (with a reason) or `bug` (with a traceback).
      3. When the cause is mended, acknowledge the dead letters.
    EOT
  }

  depends_on = [google_project_service.berth]
}

resource "google_monitoring_alert_policy" "queue_age" {
  display_name          = "Berth: messages are not handled"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = local.channels

  conditions {
    display_name = "Oldest unacknowledged message above 10 min"

    # Of all subscriptions, whatever Eventarc calls its own, but those of dead letters.
    condition_prometheus_query_language {
      query                     = "max by (subscription_id) (pubsub_googleapis_com:subscription_oldest_unacked_message_age{monitored_resource=\"pubsub_subscription\", subscription_id!~\".*-dead\"}) > 600"
      duration                  = "300s"
      evaluation_interval       = "60s"
      disable_metric_validation = true
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = <<-EOT
      A queue stands still or grows faster than it is worked off.

      1. The function's instances against `instances` in functions/functions.yaml: at the maximum, it is load.
      2. Its log: `delivery refused` names what is unavailable; no lines at all: the trigger or its invoker's grant.
      3. `admission-requests` only: uploads that take the probe minutes are slow, not stuck.
    EOT
  }

  depends_on = [google_project_service.berth]
}

resource "google_monitoring_alert_policy" "no_tick" {
  display_name          = "Berth: the fleet is not looked after"
  combiner              = "OR"
  severity              = "CRITICAL"
  notification_channels = local.channels

  conditions {
    display_name = "No pass over the fleet for 10 min"

    # `or vector(0)`: no series at all is no tick either.
    condition_prometheus_query_language {
      query                     = "(sum(increase(logging_googleapis_com:user_${google_logging_metric.ticks.name}{monitored_resource=\"cloud_run_revision\"}[10m])) or vector(0)) < 1"
      duration                  = "60s"
      evaluation_interval       = "60s"
      disable_metric_validation = true
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = <<-EOT
      What serves goes on serving; drift is not repaired, restarts and moves stand still.

      1. `gcloud scheduler jobs list --location=REGION`: is `tick` enabled, and when was its last attempt?
      2. The log of berth-reconcile-fleet: `delivery refused` or `bug` says why its passes end.
      3. The subscription of fleet-ticks: is its oldest message old?
    EOT
  }
}

resource "google_monitoring_alert_policy" "function_errors" {
  display_name          = "Berth: a function fails"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = local.channels

  conditions {
    display_name = "A bug"

    condition_prometheus_query_language {
      query                     = "sum by (function) (increase(logging_googleapis_com:user_${google_logging_metric.lines["berth_bugs"].name}{monitored_resource=\"cloud_run_revision\"}[5m])) > 0"
      duration                  = "0s"
      evaluation_interval       = "60s"
      disable_metric_validation = true
    }
  }

  conditions {
    display_name = "More than a tenth of the calls end with 5xx for 15 min"

    # Contention and unfinished work are acknowledged, so a steady share of 5xx is trouble.
    condition_threshold {
      filter             = "resource.type = \"cloud_run_revision\" AND metric.type = \"run.googleapis.com/request_count\" AND resource.labels.service_name = starts_with(\"berth-\") AND metric.labels.response_code_class = \"5xx\""
      denominator_filter = "resource.type = \"cloud_run_revision\" AND metric.type = \"run.googleapis.com/request_count\" AND resource.labels.service_name = starts_with(\"berth-\")"
      comparison         = "COMPARISON_GT"
      threshold_value    = 0.1
      duration           = "900s"

      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["resource.labels.service_name"]
      }

      denominator_aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["resource.labels.service_name"]
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = <<-EOT
      1. The function's log: `bug` carries the traceback, `delivery refused` the reason.
      2. Only 5xx and no line of ours: the instance was killed. Its memory and its timeout are in functions.yaml.
      3. Since the last deploy? `make deploy` of the release before is the way back.
    EOT
  }

  depends_on = [google_project_service.berth]
}

resource "google_monitoring_alert_policy" "shards" {
  display_name          = "Berth: a shard lacks replicas"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = local.channels

  conditions {
    display_name = "A server restarts again and again"

    condition_threshold {
      filter          = "resource.type = \"k8s_container\" AND metric.type = \"kubernetes.io/container/restart_count\" AND resource.labels.cluster_name = \"${google_container_cluster.berth.name}\" AND resource.labels.namespace_name = \"berth\""
      comparison      = "COMPARISON_GT"
      threshold_value = 2
      duration        = "0s"

      aggregations {
        alignment_period     = "1800s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["resource.labels.pod_name"]
      }
    }
  }

  conditions {
    display_name = "Fewer replicas available than wanted for 20 min"

    condition_prometheus_query_language {
      query                     = "sum by (deployment) (kube_deployment_spec_replicas{namespace=\"berth\"}) - sum by (deployment) (kube_deployment_status_replicas_available{namespace=\"berth\"}) > 0"
      duration                  = "1200s"
      evaluation_interval       = "60s"
      disable_metric_validation = true
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = <<-EOT
      1. `kubectl -n berth get pods` and `describe` of one that is not ready: OOMKilled, Pending or still loading?
      2. OOMKilled: the shard's memory (its models are listed by the status function) against the pod's limit.
      3. Pending: see the alert for the node pool. Loading: a start loads every model and may take minutes.
    EOT
  }
}

resource "google_monitoring_alert_policy" "restarts" {
  display_name          = "Berth: a restart did not come back"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = local.channels

  conditions {
    display_name = "A shard lacks replicas since it was restarted"

    condition_prometheus_query_language {
      query                     = "sum by (shard) (increase(logging_googleapis_com:user_${google_logging_metric.lines["berth_restarts_late"].name}{monitored_resource=\"cloud_run_revision\"}[5m])) > 0"
      duration                  = "0s"
      evaluation_interval       = "60s"
      disable_metric_validation = true
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = <<-EOT
      No other shard is restarted until this one is back. What still runs there goes on serving.

      1. `kubectl -n berth get pods -l berth.dev/shard=SHARD` and `describe` of the one that is not ready: the
         new pod is made before an old one goes, so most often it is Pending for want of a node.
      2. Its log says why it does not start: a model of the boot configuration that does not load ends it.
      3. docs/operations.md, "A restart did not come back".
    EOT
  }
}

resource "google_monitoring_alert_policy" "fleet_full" {
  display_name          = "Berth: a pool of shards is at its maximum"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = local.channels

  conditions {
    display_name = "It needs more shards than it may have for 15 min"

    condition_prometheus_query_language {
      query                     = "sum(increase(logging_googleapis_com:user_${google_logging_metric.lines["berth_fleet_full"].name}{monitored_resource=\"cloud_run_revision\"}[5m])) > 0"
      duration                  = "900s"
      evaluation_interval       = "60s"
      disable_metric_validation = true
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = <<-EOT
      What serves goes on serving. New models may wait for room with the reason "shard full".

      1. The line `fleet full` of reconcile_fleet says which pool, and what it needs a shard for.
      2. Raise `max_shards` of the pool in `fleet/policy.json`, and the node pool's maximum with it.
      3. docs/operations.md, "How the fleet grows".
    EOT
  }
}

resource "google_monitoring_alert_policy" "nodes" {
  display_name          = "Berth: the serving pool is at its maximum"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = local.channels
  # A pool of fixed size is always at its maximum.
  enabled = var.serving_pool.nodes_max > var.serving_pool.nodes_min

  conditions {
    display_name = "As many nodes as it may have for 15 min"

    # One series a node; GKE names a node gke-CLUSTER-POOL-HASH.
    condition_threshold {
      filter          = "resource.type = \"k8s_node\" AND metric.type = \"kubernetes.io/node/cpu/allocatable_cores\" AND resource.labels.cluster_name = \"${google_container_cluster.berth.name}\" AND resource.labels.node_name = starts_with(\"gke-berth-serving-\")"
      comparison      = "COMPARISON_GT"
      threshold_value = local.serving_nodes_max - 0.5
      duration        = "900s"

      aggregations {
        alignment_period     = "60s"
        per_series_aligner   = "ALIGN_MEAN"
        cross_series_reducer = "REDUCE_COUNT"
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = <<-EOT
      The next shard or replica may have no place.

      1. `kubectl -n berth get pods --field-selector=status.phase=Pending`: does anything wait already?
      2. Raise `serving_pool.nodes_max` in env/${var.environment}.tfvars and `make deploy`; docs/costs.md has a node's price.
    EOT
  }

  depends_on = [google_project_service.berth]
}

resource "google_monitoring_alert_policy" "serving_errors" {
  display_name          = "Berth: models answer with errors"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = local.channels

  conditions {
    display_name = "More than a hundredth of a shard's requests fail for 10 min"

    # Statuses that are the server's fault; a caller's bad input or wrong name is not.
    condition_prometheus_query_language {
      query                     = <<-EOT
        sum by (shard) (rate({"__name__"=":tensorflow:serving:request_count", namespace="berth", status=~"INTERNAL|UNAVAILABLE|UNKNOWN|RESOURCE_EXHAUSTED|DEADLINE_EXCEEDED|ABORTED|DATA_LOSS"}[5m]))
        / sum by (shard) (rate({"__name__"=":tensorflow:serving:request_count", namespace="berth"}[5m])) > 0.01
      EOT
      duration                  = "600s"
      evaluation_interval       = "60s"
      disable_metric_validation = true
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = <<-EOT
      1. The dashboard's tile of requests by status: one model or all? The label `model_name` tells.
      2. One model: its log lines in the shard's pods; `pin` an older version in its serving.yaml to go back.
      3. All models of a shard: its pods' memory and restarts, then its last `applied` line.
    EOT
  }

  depends_on = [google_project_service.berth]
}
