# Metrics made of the lines that the functions write (shared/berth/edge.py, shared/berth/app/applying.py). Cloud
# Run stores a line of JSON as jsonPayload, without `severity` and `time`, which become the entry's own.
# tests/integration/cloud/test_monitoring.py holds every filter here to a line that the real code wrote.

locals {
  function_logs = "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=~\"^berth-\""

  # Counters of lines: what each counts, told by which field, and what else of the line tells it.
  lines = {
    berth_passes            = { by = "function", message = "pass", counts = "Events handled, by function and by how they ended.", more = { outcome = "EXTRACT(jsonPayload.outcome)" } }
    berth_refused           = { by = "function", message = "event refused", counts = "Events that no retry can help, by kind of error.", more = local.reason }
    berth_redelivered       = { by = "function", message = "delivery refused", counts = "Deliveries handed back, by kind of error.", more = local.reason }
    berth_bugs              = { by = "function", message = "bug", counts = "Deliveries that ended with an exception nobody expected." }
    berth_not_answered      = { by = "function", message = "not answered", counts = "HTTP questions that could not be answered for now." }
    berth_pushes_unsettled  = { by = "shard", message = "push not settled", counts = "Configurations that a server did not confirm in time." }
    berth_replicas_replaced = { by = "shard", message = "replica replaced", counts = "Replicas that did not take their configuration and were replaced." }
    berth_memory_unknown    = { by = "shard", message = "memory unknown", counts = "Looks at a shard whose servers' memory nobody told." }
    berth_restarts_late     = { by = "shard", message = "restart did not come back", counts = "Ticks that found a restarted shard not back in time." }
    berth_fleet_full        = { by = "function", message = "fleet full", counts = "Ticks that found a pool of shards in need of more than it may have." }
    berth_reservations_kept = { by = "function", message = "reservation not released", counts = "Reservations in a customer's plan that end by themselves, because they could not be given back." }
    berth_documents_damaged = { by = "function", message = "damaged document", counts = "Documents that a sweep could not read: what they speak of is kept." }
    berth_answers_unwritten = { by = "function", message = "answer not written", counts = "Verdicts that could not be written beside an upload." }
  }
  reason = { reason = "REGEXP_EXTRACT(jsonPayload.reason, \"^([A-Za-z]+):\")" }

  line_labels = {
    for name, line in local.lines :
    name => merge({ (line.by) = "EXTRACT(jsonPayload.${line.by})" }, try(line.more, {}))
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
  for_each = local.lines

  name        = each.key
  description = each.value.counts
  filter      = "${local.function_logs} AND jsonPayload.message=\"${each.value.message}\""

  label_extractors = local.line_labels[each.key]

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"

    dynamic "labels" {
      for_each = local.line_labels[each.key]
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
