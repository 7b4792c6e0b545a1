# What is asked of the project itself: its number, and Google's own accounts in it.

data "google_project" "berth" {
  project_id = var.project_id
}

# Asking for it makes it: the account in whose name Cloud Storage publishes.
data "google_storage_project_service_account" "berth" {
  project = var.project_id
}

locals {
  project_number = data.google_project.berth.number

  # https://cloud.google.com/iam/docs/service-agents
  storage_agent = "serviceAccount:${data.google_storage_project_service_account.berth.email_address}"
  pubsub_agent  = "serviceAccount:service-${local.project_number}@gcp-sa-pubsub.iam.gserviceaccount.com"
}
