# Each customer's folder of the inbox, and who may write in it. Nobody of another customer's sees it.

locals {
  uploads = merge([
    for customer, principals in var.uploaders : {
      for principal in principals : "${customer} ${principal}" => { customer = customer, principal = principal }
    }
  ]...)
}

resource "google_storage_managed_folder" "customer" {
  for_each = var.uploaders

  bucket = google_storage_bucket.uploads.name
  name   = "${each.key}/"

  # The folder is only where grants hang: its objects stay when it goes.
  force_destroy = true
}

resource "google_project_iam_custom_role" "upload" {
  role_id     = "berthUpload"
  title       = "Berth: upload"
  description = "Write, read and list objects: what a customer does in the own folder of the inbox"
  permissions = [
    "storage.objects.create",
    "storage.objects.delete", # to write over an object, too
    "storage.objects.get",
    "storage.objects.list",
  ]

  depends_on = [google_project_service.berth]
}

resource "google_storage_managed_folder_iam_member" "uploader" {
  for_each = local.uploads

  bucket         = google_storage_bucket.uploads.name
  managed_folder = google_storage_managed_folder.customer[each.value.customer].name
  role           = local.upload_role
  member         = each.value.principal
}

locals {
  upload_role = "projects/${var.project_id}/roles/${google_project_iam_custom_role.upload.role_id}"
}
