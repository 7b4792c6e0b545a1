# Who may call which function; nobody else can.

# Eventarc, in the trigger's name.
resource "google_cloud_run_v2_service_iam_member" "trigger" {
  for_each = google_cloudfunctions2_function.triggered

  name     = each.value.name
  location = var.region
  role     = "roles/run.invoker"
  member   = "serviceAccount:${local.trigger_email}"
}

# Functions that call functions: `call` in infra/grants.yaml.
resource "google_cloud_run_v2_service_iam_member" "function" {
  for_each = local.calls

  name     = google_cloudfunctions2_function.called[each.value.callee].name
  location = var.region
  role     = "roles/run.invoker"
  member   = "serviceAccount:${local.function_emails[each.value.caller]}"
}

# People and dashboards that ask how the fleet is.
resource "google_cloud_run_v2_service_iam_member" "status" {
  for_each = toset(var.status_invokers)

  name     = google_cloudfunctions2_function.called["status"].name
  location = var.region
  role     = "roles/run.invoker"
  member   = each.key
}
