# Topics, and where their messages go that no attempt could deliver. Eventarc makes the subscriptions
# in between; `make deploy` sets back-off and dead letters on them.

locals {
  # The topics that functions listen to, those that schedules feed, and those that Berth speaks on.
  function_topics = toset([
    for function in local.triggered : local.trigger_topics[function.name]
  ])
  schedule_topics = toset([
    for schedule in yamldecode(file("${path.module}/../schedules.yaml")).schedules : schedule.topic
  ])
  topics = setunion(local.function_topics, local.schedule_topics, ["model-events"])

  topic_ids = { for name, topic in google_pubsub_topic.topic : name => "projects/${var.project_id}/topics/${topic.name}" }
}

resource "google_pubsub_topic" "topic" {
  #checkov:skip=CKV_GCP_83:Messages name models and customers and carry no data; Google encrypts them with keys of its own
  for_each = local.topics

  name = each.key

  # Messages of the last week can be delivered again, to a subscription that is set back in time.
  message_retention_duration = "604800s"

  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }

  depends_on = [google_project_service.berth]
}

resource "google_pubsub_topic" "dead" {
  #checkov:skip=CKV_GCP_83:Messages name models and customers and carry no data; Google encrypts them with keys of its own
  for_each = local.function_topics

  name = "${each.key}-dead"

  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }

  depends_on = [google_project_service.berth]
}

# An operator reads them; docs/operations.md says how.
resource "google_pubsub_subscription" "dead" {
  for_each = google_pubsub_topic.dead

  name  = each.value.name
  topic = each.value.name

  ack_deadline_seconds       = 60
  message_retention_duration = "2678400s"

  expiration_policy {
    ttl = "" # never
  }
}

# Pub/Sub itself moves a message to the dead letters. Its agent comes into being when Pub/Sub is used; one
# that was asked for instead would lack its role (https://cloud.google.com/iam/docs/create-service-agents).
# So this grant waits for the first subscriptions.
resource "google_pubsub_topic_iam_member" "pubsub_agent" {
  for_each = google_pubsub_topic.dead

  topic  = each.value.name
  role   = "roles/pubsub.publisher"
  member = local.pubsub_agent

  depends_on = [google_cloudfunctions2_function.triggered, google_pubsub_subscription.dead]
}

resource "google_pubsub_topic_iam_member" "storage_agent" {
  topic  = google_pubsub_topic.topic["uploads-finalized"].name
  role   = "roles/pubsub.publisher"
  member = local.storage_agent
}
