# Who may reach the cluster's control plane by its DNS endpoint. What they may do there is for RBAC:
# the role lets nobody read or change an object of the cluster.

resource "google_project_iam_custom_role" "connect" {
  role_id     = "berthConnect"
  title       = "Berth: connect"
  description = "Reach the cluster's control plane, as a stranger to its RBAC"
  permissions = [
    "container.clusters.connect",
    "container.clusters.get", # to learn the endpoint's name
  ]

  depends_on = [google_project_service.berth]
}

# Clusters have no IAM of their own; the project has one cluster.
resource "google_project_iam_member" "operator" {
  for_each = toset(var.cluster_operators)

  project = var.project_id
  role    = "projects/${var.project_id}/roles/${google_project_iam_custom_role.connect.role_id}"
  member  = each.key
}
