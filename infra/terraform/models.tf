# Promoted models, immutable, mounted read-only into the serving pods; and the starter templates.

resource "google_storage_bucket" "models" {
  #checkov:skip=CKV_GCP_62:Who reads is few and named in grants.yaml; Cloud Audit Logs can tell each read where a review asks for it
  #checkov:skip=CKV_GCP_78:Nothing is written over; what is deleted stays in soft delete for a week
  name     = "${var.project_id}-berth-models"
  location = var.region

  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  # Nothing here is ever overwritten; what is deleted can be had back for a week.
  soft_delete_policy {
    retention_duration_seconds = 604800
  }

  lifecycle {
    prevent_destroy = true
  }

  depends_on = [google_project_service.berth]
}
