# Container images: of the functions, which Cloud Build makes from the bundles, and of the servers.

resource "google_artifact_registry_repository" "berth" {
  #checkov:skip=CKV_GCP_84:Images hold this public code and its packages, no secret; Google encrypts them with keys of its own
  repository_id = "berth"
  location      = var.region
  format        = "DOCKER"
  description   = "Images of Berth's functions and of its model servers"

  # A policy that keeps wins over one that deletes.
  cleanup_policies {
    id     = "delete-old"
    action = "DELETE"
    condition {
      tag_state  = "ANY"
      older_than = "7776000s" # 90 days
    }
  }

  cleanup_policies {
    id     = "keep-recent"
    action = "KEEP"
    most_recent_versions {
      keep_count = 10
    }
  }

  # A shard may run any tag of the server's for as long as it likes.
  cleanup_policies {
    id     = "keep-servers"
    action = "KEEP"
    condition {
      tag_state             = "TAGGED"
      package_name_prefixes = ["tfserving"]
    }
  }

  depends_on = [google_project_service.berth]
}

resource "google_artifact_registry_repository_iam_member" "builder" {
  repository = google_artifact_registry_repository.berth.repository_id
  location   = google_artifact_registry_repository.berth.location
  role       = "roles/artifactregistry.writer"
  member     = local.builder
}
