# A small Berth for trying things: one zone, small nodes, nothing protected. docs/costs.md has its price.
# project_id and bundles are given by `make deploy ENV=dev`.

environment = "dev"
region      = "europe-west1"
zones       = ["europe-west1-b"]

# Private ranges of this project's own network; they must not overlap with a network joined to it. The
# pods' range holds 512 nodes.
nodes_cidr         = "10.10.0.0/22"
control_plane_cidr = "10.10.4.0/28"
functions_cidr     = "10.10.8.0/24"
services_cidr      = "10.10.16.0/20"
pods_cidr          = "10.11.0.0/16"

# In all zones together: what GKE itself runs.
system_pool = {
  machine_type = "e2-standard-2"
  nodes_min    = 1
  nodes_max    = 3
}

# In each zone: what serves.
serving_pool = {
  machine_type = "e2-standard-4"
  disk_gb      = 50
  nodes_min    = 1
  nodes_max    = 3
}

deletion_protection = false

# Nobody is told: add addresses to get alerts.
alert_emails = []

# Like {billing_account = "012345-6789AB-CDEF01", amount = 500, currency = "EUR"}
budget = null

# Besides the project's owners nobody uploads, asks for the status or uses kubectl until they are named:
# { acme = ["serviceAccount:trainer@acme-training.iam.gserviceaccount.com"] }
uploaders = {}

# ["group:berth-developers@example.com"]
status_invokers   = []
cluster_operators = []
