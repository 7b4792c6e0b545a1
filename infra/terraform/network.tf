# The one network of a Berth project. Nothing in it has an external address, there is no NAT, and the only
# route out leads to Google's own interfaces (docs/adr/20261121-no-internet.md).

locals {
  # private.googleapis.com: https://cloud.google.com/vpc/docs/configure-private-google-access
  google_cidr      = "199.36.153.8/30"
  google_addresses = [for host in range(4) : cidrhost(local.google_cidr, host)]
}

resource "google_compute_network" "berth" {
  name        = "berth"
  description = "Serving nodes, the control plane's endpoint and the egress of reconcile_shard."

  auto_create_subnetworks         = false
  delete_default_routes_on_create = true
  routing_mode                    = "REGIONAL"

  depends_on = [google_project_service.berth]
}

# The gateway's name misleads: packets to this range stay on Google's network.
resource "google_compute_route" "google" {
  name        = "berth-google"
  description = "Google's interfaces; there is no default route."

  network          = google_compute_network.berth.id
  dest_range       = local.google_cidr
  next_hop_gateway = "default-internet-gateway"
}

resource "google_compute_subnetwork" "nodes" {
  name        = "nodes"
  description = "GKE nodes; pods and services in secondary ranges."

  network                  = google_compute_network.berth.id
  region                   = var.region
  ip_cidr_range            = var.nodes_cidr
  private_ip_google_access = true

  secondary_ip_range {
    range_name    = "pods"
    ip_cidr_range = var.pods_cidr
  }

  secondary_ip_range {
    range_name    = "services"
    ip_cidr_range = var.services_cidr
  }

  log_config {
    aggregation_interval = "INTERVAL_10_MIN"
    flow_sampling        = 0.1
    metadata             = "EXCLUDE_ALL_METADATA"
  }
}

resource "google_compute_subnetwork" "control_plane" {
  name        = "control-plane"
  description = "The private endpoint of the cluster's API server and nothing else."

  network                  = google_compute_network.berth.id
  region                   = var.region
  ip_cidr_range            = var.control_plane_cidr
  private_ip_google_access = true

  log_config {
    aggregation_interval = "INTERVAL_10_MIN"
    flow_sampling        = 0.1
    metadata             = "EXCLUDE_ALL_METADATA"
  }
}

resource "google_compute_subnetwork" "functions" {
  name        = "functions"
  description = "Direct VPC egress of reconcile_shard; Cloud Run takes about two addresses an instance."

  network                  = google_compute_network.berth.id
  region                   = var.region
  ip_cidr_range            = var.functions_cidr
  private_ip_google_access = true

  log_config {
    aggregation_interval = "INTERVAL_10_MIN"
    flow_sampling        = 0.5
    metadata             = "EXCLUDE_ALL_METADATA"
  }
}
