# The inbox: customers and trainers upload here, each in a folder of their own (uploaders.tf).

resource "google_storage_bucket" "uploads" {
  #checkov:skip=CKV_GCP_62:Who reads is few and named in grants.yaml; Cloud Audit Logs can tell each read where a review asks for it
  #checkov:skip=CKV_GCP_78:What is replaced or deleted stays in soft delete for a week
  name     = "${var.project_id}-berth-uploads"
  location = var.region

  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  # What is deleted by mistake can be had back for a week.
  soft_delete_policy {
    retention_duration_seconds = 604800
  }

  # Nothing that serves depends on the inbox: what was admitted is in the models bucket.
  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      age = 30
    }
  }

  lifecycle_rule {
    action {
      type = "AbortIncompleteMultipartUpload"
    }
    condition {
      age = 1
    }
  }

  lifecycle {
    prevent_destroy = true
  }

  depends_on = [google_project_service.berth]
}

# Every finished object is told to a topic of ours, with our retention and our dead letters. A trigger
# of Cloud Storage's own would need project-wide roles, and has a topic that nobody can set up.
resource "google_storage_notification" "uploads" {
  bucket         = google_storage_bucket.uploads.name
  topic          = local.topic_ids["uploads-finalized"]
  payload_format = "JSON_API_V1"
  event_types    = ["OBJECT_FINALIZE"]

  depends_on = [google_pubsub_topic_iam_member.storage_agent]
}
