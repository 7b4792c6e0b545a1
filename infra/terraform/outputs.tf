# What the deploy, and whoever looks after it, needs to know.

output "bucket_bundles" {
  description = "Name of the bucket of the functions' bundles."
  value       = google_storage_bucket.bundles.name
}

output "bucket_control" {
  description = "Name of the bucket of the control plane's documents."
  value       = google_storage_bucket.control.name
}

output "bucket_models" {
  description = "Name of the bucket of promoted models."
  value       = google_storage_bucket.models.name
}

output "bucket_uploads" {
  description = "Name of the inbox."
  value       = google_storage_bucket.uploads.name
}

output "builder_email" {
  description = "Service account in whose name images are built."
  value       = local.builder_email
}

output "cluster_location" {
  description = "The cluster's region."
  value       = google_container_cluster.berth.location
}

output "cluster_name" {
  description = "The cluster's name."
  value       = google_container_cluster.berth.name
}

output "dead_letters" {
  description = "For each topic that functions listen to, the topic of its dead letters, as full resource names."
  value       = { for name, dead in google_pubsub_topic.dead : local.topic_ids[name] => "projects/${var.project_id}/topics/${dead.name}" }
}

output "function_emails" {
  description = "Each function's service account."
  value       = local.function_emails
}

output "function_triggers" {
  description = "The Eventarc trigger of each function that gets events, as a full resource name."
  value       = { for name, function in google_cloudfunctions2_function.triggered : name => function.event_trigger[0].trigger }
}

output "function_uris" {
  description = "Where each function is called."
  value = {
    for name, function in merge(google_cloudfunctions2_function.called, google_cloudfunctions2_function.triggered) :
    name => function.service_config[0].uri
  }
}

output "image_registry" {
  description = "What goes before an image's name: the registry and the project; the repository is the first part of the name."
  value       = local.called_values.BERTH_IMAGE_REGISTRY
}

output "project_number" {
  description = "The project's number, in which Google names its own accounts."
  value       = local.project_number
}

output "pubsub_agent" {
  description = "Pub/Sub's own account, which moves messages to the dead letters."
  value       = local.pubsub_agent
}

output "topics" {
  description = "Topics by their short names, as full resource names."
  value       = local.topic_ids
}

output "trigger_email" {
  description = "Service account in whose name Eventarc calls the functions."
  value       = local.trigger_email
}
