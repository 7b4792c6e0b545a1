# Metrics made of the lines that the functions write (shared/berth/edge.py, shared/berth/app/applying.py). Cloud
# Run stores a line of JSON as jsonPayload, without `severity` and `time`, which become the entry's own.
# tests/integration/cloud/test_monitoring.py holds every filter here to a line that the real code wrote.

locals {
  function_logs = "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=~\"^berth-\""

  # Counters of lines. A label is a name, or a pair of name and expression.
  line_metrics = {
    berth_passes = {
      description = "Events handled, by function and by how they ended."
      message     = "pass"
      labels      = { function = "EXTRACT(jsonPayload.function)", outcome = "EXTRACT(jsonPayload.outcome)" }
    }
    berth_refused = {
      description = "Events that no retry can help, by kind of error."
      message     = "event refused"
      labels      = { function = "EXTRACT(jsonPayload.function)", reason = "REGEXP_EXTRACT(jsonPayload.reason, \"^([A-Za-z]+):\")" }
    }
    berth_redelivered = {
      description = "Deliveries handed back, by kind of error."
      message     = "delivery refused"
      labels      = { function = "EXTRACT(jsonPayload.function)", reason = "REGEXP_EXTRACT(jsonPayload.reason, \"^([A-Za-z]+):\")" }
    }
    berth_bugs = {
      description = "Deliveries that ended with an exception nobody expected."
      message     = "bug"
      labels      = { function = "EXTRACT(jsonPayload.function)" }
    }
    berth_not_answered = {
      description = "HTTP questions that could not be answered for now."
      message     = "not answered"
      labels      = { function = "EXTRACT(jsonPayload.function)" }
    }
    berth_pushes_unsettled = {
      description = "Configurations that a server did not confirm in time."
      message     = "push not settled"
      labels      = { shard = "EXTRACT(jsonPayload.shard)" }
    }
    berth_replicas_replaced = {
      description = "Replicas that did not take their configuration and were replaced."
      message     = "replica replaced"
      labels      = { shard = "EXTRACT(jsonPayload.shard)" }
    }
    berth_memory_unknown = {
      description = "Looks at a shard whose servers' memory nobody told."
      message     = "memory unknown"
      labels      = { shard = "EXTRACT(jsonPayload.shard)" }
    }
    berth_restarts_late = {
      description = "Ticks that found a restarted shard not back in time."
      message     = "restart did not come back"
      labels      = { shard = "EXTRACT(jsonPayload.shard)" }
    }
    berth_fleet_full = {
      description = "Ticks that found a pool of shards in need of more than it may have."
      message     = "fleet full"
      labels      = { function = "EXTRACT(jsonPayload.function)" }
    }
    berth_reservations_kept = {
      description = "Reservations in a customer's plan that end by themselves, because they could not be given back."
      message     = "reservation not released"
      labels      = { function = "EXTRACT(jsonPayload.function)" }
    }
    berth_documents_damaged = {
      description = "Documents that a sweep could not read: what they speak of is kept."
      message     = "damaged document"
      labels      = { function = "EXTRACT(jsonPayload.function)" }
    }
    berth_answers_unwritten = {
      description = "Verdicts that could not be written beside an upload."
      message     = "answer not written"
      labels      = { function = "EXTRACT(jsonPayload.function)" }
    }
  }

  # Distributions: a number in a line.
  seconds_metrics = {
    berth_pass_seconds = {
      description = "Seconds of a pass."
      message     = "pass"
      value       = "EXTRACT(jsonPayload.seconds)"
      label       = "function"
    }
    berth_push_seconds = {
      description = "Seconds until a shard's servers took their configuration."
      message     = "applied"
      value       = "EXTRACT(jsonPayload.push_seconds)"
      label       = "shard"
    }
  }
}

resource "google_logging_metric" "lines" {
  for_each = local.line_metrics

  name        = each.key
  description = each.value.description
  filter      = "${local.function_logs} AND jsonPayload.message=\"${each.value.message}\""

  label_extractors = each.value.labels

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"

    dynamic "labels" {
      for_each = each.value.labels
      content {
        key        = labels.key
        value_type = "STRING"
      }
    }
  }

  depends_on = [google_project_service.berth]
}

# The fleet's ticks by themselves: no label, so that a missing one is a missing one.
resource "google_logging_metric" "ticks" {
  name        = "berth_ticks"
  description = "Passes over the whole fleet that ended well."
  filter      = "${local.function_logs} AND jsonPayload.message=\"pass\" AND jsonPayload.function=\"reconcile_fleet\""

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"
  }

  depends_on = [google_project_service.berth]
}

resource "google_logging_metric" "seconds" {
  for_each = local.seconds_metrics

  name             = each.key
  description      = each.value.description
  filter           = "${local.function_logs} AND jsonPayload.message=\"${each.value.message}\""
  value_extractor  = each.value.value
  label_extractors = { (each.value.label) = "EXTRACT(jsonPayload.${each.value.label})" }

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "DISTRIBUTION"
    unit        = "s"

    labels {
      key        = each.value.label
      value_type = "STRING"
    }
  }

  # 10 ms to 11 min.
  bucket_options {
    exponential_buckets {
      scale              = 0.01
      growth_factor      = 2
      num_finite_buckets = 16
    }
  }

  depends_on = [google_project_service.berth]
}
