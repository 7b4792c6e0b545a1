# What berth-builder may do: read bundles, write images and logs. Cloud Functions keeps a copy of each
# bundle in a bucket of its own, from which it builds.

locals {
  builder_id       = "projects/${var.project_id}/serviceAccounts/${local.builder_email}"
  image_repository = "projects/${var.project_id}/locations/${var.region}/repositories/${google_artifact_registry_repository.berth.repository_id}"
  function_sources = "gcf-v2-sources-${local.project_number}-${var.region}"
}

resource "google_storage_bucket_iam_member" "builder" {
  bucket = google_storage_bucket.bundles.name
  role   = "roles/storage.objectViewer"
  member = local.builder
}

# That bucket is made by the first build: it can be granted only from the project, by its name.
resource "google_project_iam_member" "builder_sources" {
  project = var.project_id
  role    = "roles/storage.objectViewer"
  member  = local.builder

  condition {
    title      = "sources of the functions"
    expression = "resource.name == \"projects/_/buckets/${local.function_sources}\" || resource.name.startsWith(\"projects/_/buckets/${local.function_sources}/objects/\")"
  }
}

# Cloud Logging has no narrower level than the project. Write only.
resource "google_project_iam_member" "builder_logs" {
  project = var.project_id
  role    = "roles/logging.logWriter"
  member  = local.builder
}
