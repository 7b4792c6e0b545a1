# Two pools: a small one for what GKE itself runs, and the one that serves. A pool of customers that needs its
# own nodes is a third resource of this kind with its own label.

locals {
  node_scopes = ["https://www.googleapis.com/auth/cloud-platform"]
  # In words of k8s/shard/deployment.yaml: its node selector and its toleration.
  serving_label = { "berth.dev/pool" = "serving" }
  nodes_email   = "${google_service_account.nodes.account_id}@${local.accounts}"
  nodes         = "serviceAccount:${local.nodes_email}"
}

resource "google_service_account" "nodes" {
  account_id   = "berth-nodes"
  display_name = "Berth nodes"
  description  = "GKE's agents on the nodes: logs, metrics, images"

  depends_on = [google_project_service.berth]
}

# Logs and metrics, written only. Google offers no narrower level than the project for them.
resource "google_project_iam_member" "nodes" {
  project = var.project_id
  role    = "roles/container.defaultNodeServiceAccount"
  member  = local.nodes
}

resource "google_artifact_registry_repository_iam_member" "nodes" {
  repository = google_artifact_registry_repository.berth.repository_id
  location   = google_artifact_registry_repository.berth.location
  role       = "roles/artifactregistry.reader"
  member     = local.nodes
}

resource "google_container_node_pool" "system" {
  name     = "system"
  cluster  = google_container_cluster.berth.id
  location = var.region

  initial_node_count = 1

  autoscaling {
    location_policy      = "BALANCED"
    total_min_node_count = var.system_pool.nodes_min
    total_max_node_count = var.system_pool.nodes_max
  }

  management {
    auto_repair  = true
    auto_upgrade = true
  }

  upgrade_settings {
    strategy        = "SURGE"
    max_surge       = 1
    max_unavailable = 0
  }

  network_config {
    enable_private_nodes = true
  }

  node_config {
    machine_type    = var.system_pool.machine_type
    image_type      = "COS_CONTAINERD"
    disk_type       = "pd-balanced"
    disk_size_gb    = 50
    service_account = local.nodes_email
    oauth_scopes    = local.node_scopes
    labels          = { "berth.dev/pool" = "system" }

    resource_labels = {
      app         = "berth"
      environment = var.environment
    }

    metadata = {
      disable-legacy-endpoints = "true"
    }

    gvnic {
      enabled = true
    }

    shielded_instance_config {
      enable_integrity_monitoring = true
      enable_secure_boot          = true
    }

    workload_metadata_config {
      mode = "GKE_METADATA"
    }

    kubelet_config {
      insecure_kubelet_readonly_port_enabled = "FALSE"
    }
  }

  lifecycle {
    ignore_changes = [initial_node_count]
  }
}

resource "google_container_node_pool" "serving" {
  name     = "serving"
  cluster  = google_container_cluster.berth.id
  location = var.region

  initial_node_count = var.serving_pool.nodes_min

  # Per zone. BALANCED, because the two replicas of a shard should not go with one zone.
  autoscaling {
    location_policy = "BALANCED"
    min_node_count  = var.serving_pool.nodes_min
    max_node_count  = var.serving_pool.nodes_max
  }

  management {
    auto_repair  = true
    auto_upgrade = true
  }

  # A node is drained only when a new one is ready. GKE waits up to an hour for the shards' PodDisruptionBudgets:
  # with one replica out at a time and a start of minutes that is enough for a node's servers.
  upgrade_settings {
    strategy        = "SURGE"
    max_surge       = 1
    max_unavailable = 0
  }

  network_config {
    enable_private_nodes = true
  }

  node_config {
    machine_type    = var.serving_pool.machine_type
    image_type      = "COS_CONTAINERD"
    disk_type       = "pd-balanced"
    disk_size_gb    = var.serving_pool.disk_gb
    service_account = local.nodes_email
    oauth_scopes    = local.node_scopes
    labels          = local.serving_label

    taint {
      key    = "berth.dev/serving"
      value  = "true"
      effect = "NO_SCHEDULE"
    }

    resource_labels = {
      app         = "berth"
      environment = var.environment
    }

    metadata = {
      disable-legacy-endpoints = "true"
    }

    gvnic {
      enabled = true
    }

    shielded_instance_config {
      enable_integrity_monitoring = true
      enable_secure_boot          = true
    }

    workload_metadata_config {
      mode = "GKE_METADATA"
    }

    kubelet_config {
      insecure_kubelet_readonly_port_enabled = "FALSE"
    }
  }

  lifecycle {
    ignore_changes = [initial_node_count]
  }
}
