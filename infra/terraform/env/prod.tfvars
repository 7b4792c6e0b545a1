# Production: three zones, nodes with more memory than CPU. docs/costs.md has its price.
# project_id and bundles are given by `make deploy ENV=prod`.

environment = "prod"
region      = "europe-west1"
zones       = ["europe-west1-b", "europe-west1-c", "europe-west1-d"]

# Private ranges of this project's own network; they must not overlap with a network joined to it. The
# pods' range holds 512 nodes.
nodes_cidr         = "10.20.0.0/22"
control_plane_cidr = "10.20.4.0/28"
functions_cidr     = "10.20.8.0/24"
services_cidr      = "10.20.16.0/20"
pods_cidr          = "10.21.0.0/16"

# In all zones together: what GKE itself runs.
system_pool = {
  machine_type = "e2-standard-2"
  nodes_min    = 3
  nodes_max    = 6
}

# In each zone: what serves.
serving_pool = {
  machine_type = "e2-highmem-4"
  disk_gb      = 50
  nodes_min    = 1
  nodes_max    = 10
}

deletion_protection = true

# Who is told. Set it: an alert that nobody gets is none.
alert_emails = ["platform@example.com"]

# Like {billing_account = "012345-6789AB-CDEF01", amount = 1500, currency = "EUR"}
budget = null

# Besides the project's owners nobody uploads, asks for the status or uses kubectl until they are named:
# { acme = ["serviceAccount:trainer@acme-training.iam.gserviceaccount.com"] }
uploaders = {}

# ["group:berth-operations@example.com"]
status_invokers   = []
cluster_operators = []
