# What may talk to what. Everything else is denied and logged. GKE adds its own ingress rules for the traffic
# among nodes, pods and control plane (https://cloud.google.com/kubernetes-engine/docs/concepts/firewall-rules);
# it adds none for egress, so those are here. DNS, DHCP and the metadata server are always allowed.
#
# Direct VPC egress has neither tags nor an identity in ingress rules: functions are known by their range.

resource "google_compute_firewall" "functions_to_pods" {
  name        = "berth-functions-to-pods"
  network     = google_compute_network.berth.id
  description = "reconcile_shard tells each TensorFlow Serving what to load."

  direction               = "INGRESS"
  priority                = 1000
  source_ranges           = [var.functions_cidr]
  destination_ranges      = [var.pods_cidr]
  target_service_accounts = [local.nodes_email]

  allow {
    protocol = "tcp"
    ports    = ["8500"]
  }

  log_config {
    metadata = "EXCLUDE_ALL_METADATA"
  }
}

resource "google_compute_firewall" "deny_ingress" {
  name        = "berth-deny-ingress"
  network     = google_compute_network.berth.id
  description = "All that no other rule allows."

  direction     = "INGRESS"
  priority      = 65534
  source_ranges = ["0.0.0.0/0"]

  deny {
    protocol = "all"
  }

  log_config {
    metadata = "EXCLUDE_ALL_METADATA"
  }
}

resource "google_compute_firewall" "egress_google" {
  name        = "berth-egress-google"
  network     = google_compute_network.berth.id
  description = "Google's interfaces: Storage, Pub/Sub, Artifact Registry, logging, monitoring, tokens."

  direction          = "EGRESS"
  priority           = 1000
  destination_ranges = [local.google_cidr]

  allow {
    protocol = "tcp"
    ports    = ["443"]
  }
}

resource "google_compute_firewall" "egress_cluster" {
  name        = "berth-egress-cluster"
  network     = google_compute_network.berth.id
  description = "Nodes and pods to each other: kubelet, DNS, metrics."

  direction               = "EGRESS"
  priority                = 1000
  destination_ranges      = [var.nodes_cidr, var.pods_cidr]
  target_service_accounts = [local.nodes_email]

  allow {
    protocol = "all"
  }
}

# No port list: the range holds the endpoint alone, and GKE opens a tunnel to it beside 443.
resource "google_compute_firewall" "egress_control_plane" {
  name        = "berth-egress-control-plane"
  network     = google_compute_network.berth.id
  description = "Nodes to the API server."

  direction               = "EGRESS"
  priority                = 1000
  destination_ranges      = [var.control_plane_cidr]
  target_service_accounts = [local.nodes_email]

  allow {
    protocol = "tcp"
  }
}

resource "google_compute_firewall" "egress_functions_api" {
  name        = "berth-egress-functions-api"
  network     = google_compute_network.berth.id
  description = "reconcile_shard to the API server."

  direction          = "EGRESS"
  priority           = 1000
  source_ranges      = [var.functions_cidr]
  destination_ranges = [var.control_plane_cidr]

  allow {
    protocol = "tcp"
    ports    = ["443"]
  }
}

resource "google_compute_firewall" "egress_functions_pods" {
  name        = "berth-egress-functions-pods"
  network     = google_compute_network.berth.id
  description = "reconcile_shard to TensorFlow Serving."

  direction          = "EGRESS"
  priority           = 1000
  source_ranges      = [var.functions_cidr]
  destination_ranges = [var.pods_cidr]

  allow {
    protocol = "tcp"
    ports    = ["8500"]
  }
}

resource "google_compute_firewall" "deny_egress" {
  name        = "berth-deny-egress"
  network     = google_compute_network.berth.id
  description = "No way to the internet, nor to any other network."

  direction          = "EGRESS"
  priority           = 65534
  destination_ranges = ["0.0.0.0/0"]

  deny {
    protocol = "all"
  }

  log_config {
    metadata = "EXCLUDE_ALL_METADATA"
  }
}
