# The control plane's documents. They are its database: every earlier state can be had back.

resource "google_storage_bucket" "control" {
  #checkov:skip=CKV_GCP_62:Who reads is few and named in grants.yaml; Cloud Audit Logs can tell each read where a review asks for it
  name     = "${var.project_id}-berth-control"
  location = var.region

  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  versioning {
    enabled = true
  }

  soft_delete_policy {
    retention_duration_seconds = 604800
  }

  # What a document said in the last 30 days stays.
  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      days_since_noncurrent_time = 30
    }
  }

  # Leases and observations are written every second, and tell nothing a day later.
  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      days_since_noncurrent_time = 1
      matches_suffix             = ["/lease.json", "/status.json"]
    }
  }

  lifecycle {
    prevent_destroy = true
  }

  depends_on = [google_project_service.berth]
}
