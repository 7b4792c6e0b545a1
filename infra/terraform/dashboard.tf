# One page for whoever was woken: is work done, how long does it take, do the shards serve.
resource "google_monitoring_dashboard" "berth" {
  dashboard_json = file("${path.module}/dashboards/berth.json")

  depends_on = [google_project_service.berth]
}
