# Berth for customers. project_id and bundles are given by `make deploy ENV=prod`.

environment = "prod"
region      = "europe-west1"

# Private ranges, of this project's own network. They must not overlap with networks that are joined
# to it. The pods' range holds 2,048 nodes, the nodes' range half as many.
nodes_cidr         = "10.10.0.0/22"
control_plane_cidr = "10.10.4.0/28"
functions_cidr     = "10.10.8.0/24"
pods_cidr          = "10.16.0.0/14"
services_cidr      = "10.20.0.0/20"

# In each zone of the region: 8 CPUs and 64 GB a node. Servers are bound by memory.
serving_pool = {
  machine_type = "n2d-highmem-8"
  disk_gb      = 100
  nodes_min    = 1
  nodes_max    = 20
}

# Who may write in which customer's folder of the inbox.
uploaders = {
  acme = ["serviceAccount:trainer@acme-training.iam.gserviceaccount.com"]
  globex = [
    "group:globex-data-science@example.com",
    "serviceAccount:trainer@globex-training.iam.gserviceaccount.com",
  ]
}

status_invokers   = ["group:berth-operations@example.com"]
cluster_operators = ["group:berth-operations@example.com"]

alert_emails = ["berth-operations@example.com"]

budget = {
  billing_account = "012345-6789AB-CDEF01"
  amount          = 5000
  currency        = "EUR"
}

deletion_protection = true
