# The functions' bundles, named by their content: a function is built again if and only if its bundle
# changed.

resource "google_storage_bucket" "bundles" {
  #checkov:skip=CKV_GCP_62:Who reads is few and named in grants.yaml; Cloud Audit Logs can tell each read where a review asks for it
  #checkov:skip=CKV_GCP_78:Bundles are named by content and built from sources; soft delete keeps them for a week
  name     = "${var.project_id}-berth-bundles"
  location = var.region

  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  soft_delete_policy {
    retention_duration_seconds = 604800
  }

  depends_on = [google_project_service.berth]
}

resource "google_storage_bucket_object" "bundle" {
  for_each = local.functions

  bucket       = google_storage_bucket.bundles.name
  name         = "functions/${each.key}-${substr(filesha256(var.bundles[each.key]), 0, 12)}.zip"
  source       = var.bundles[each.key]
  content_type = "application/zip"

  lifecycle {
    # The function moves to the new bundle before the old one goes.
    create_before_destroy = true

    # The name says what is in it; on whose disk it was built means nothing.
    ignore_changes = [source]

    precondition {
      condition     = length(setsubtract(keys(var.bundles), keys(local.functions))) == 0
      error_message = "bundles: functions/functions.yaml has no function ${join(", ", setsubtract(keys(var.bundles), keys(local.functions)))}."
    }
  }
}
