# Service accounts: one a function, one that brings events to functions, one that builds them. What
# each may do is in grants.tf and invokers.tf; the nodes' account is in nodes.tf.

resource "google_service_account" "function" {
  for_each = local.functions

  account_id   = each.value.identity
  display_name = "Berth ${each.key}"
  description  = "Runs the function ${each.key}"

  depends_on = [google_project_service.berth]
}

resource "google_service_account" "trigger" {
  account_id   = "berth-trigger"
  display_name = "Berth trigger"
  description  = "In its name Eventarc calls the functions"

  depends_on = [google_project_service.berth]
}

resource "google_service_account" "builder" {
  account_id   = "berth-builder"
  display_name = "Berth builder"
  description  = "In its name Cloud Build makes images"

  depends_on = [google_project_service.berth]
}

locals {
  # Spelt out, so that a plan can say who gets what before the accounts are there.
  accounts = "${var.project_id}.iam.gserviceaccount.com"

  function_emails = { for name, account in google_service_account.function : name => "${account.account_id}@${local.accounts}" }
  trigger_email   = "${google_service_account.trigger.account_id}@${local.accounts}"
  builder_email   = "${google_service_account.builder.account_id}@${local.accounts}"
  builder         = "serviceAccount:${local.builder_email}"

  # The pods' Kubernetes accounts, by Workload Identity Federation.
  pods = { for name in ["serving", "router"] : name => join("/", [
    "principal://iam.googleapis.com/projects/${local.project_number}",
    "locations/global/workloadIdentityPools/${var.project_id}.svc.id.goog",
    "subject/ns/berth/sa/berth-${name}",
  ]) }
}
