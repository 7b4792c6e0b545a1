# Berth to try things on: small nodes, alerts to one address, and a cluster that may be destroyed.
# project_id and bundles are given by `make deploy ENV=dev`.

environment = "dev"
region      = "europe-west1"

# Private ranges, of this project's own network. They must not overlap with networks that are joined
# to it; every Berth may have the same ones otherwise.
nodes_cidr         = "10.10.0.0/22"
control_plane_cidr = "10.10.4.0/28"
functions_cidr     = "10.10.8.0/24"
pods_cidr          = "10.16.0.0/14"
services_cidr      = "10.20.0.0/20"

# In each zone of the region. A node of this type takes four servers of 2 GiB with room to roll one.
serving_pool = {
  machine_type = "e2-standard-4"
  disk_gb      = 50
  nodes_min    = 1
  nodes_max    = 2
}

# Nobody but the project's owners uploads, asks for the status or uses kubectl until they are named:
#   uploaders         = { acme = ["serviceAccount:trainer@acme-training.iam.gserviceaccount.com"] }
#   status_invokers   = ["group:berth-developers@example.com"]
#   cluster_operators = ["group:berth-developers@example.com"]
uploaders         = {}
status_invokers   = []
cluster_operators = []

alert_emails = ["berth-dev@example.com"]

# A budget needs the right to see the billing account; a project to try things on goes without.
budget = null

deletion_protection = false
