# The cluster that serves (docs/adr/20261121-gke-standard.md). The nodes have no external address; the API server
# is reached at a private address by reconcile_shard, and by operators at a DNS name that IAM guards.

resource "google_container_cluster" "berth" {
  #checkov:skip=CKV_GCP_12:Dataplane V2 enforces network policies itself; the add-on cannot be used with it
  #checkov:skip=CKV_GCP_65:No Google group administers it: operators come by IAM, reconcile_shard by RBAC
  #checkov:skip=CKV_GCP_66:Nodes reach gcr.io and pkg.dev alone; who may push to our repository is in registry.tf
  name           = "berth"
  description    = "TensorFlow Serving shards of Berth."
  location       = var.region
  node_locations = var.zones

  network                     = google_compute_network.berth.id
  subnetwork                  = google_compute_subnetwork.nodes.id
  networking_mode             = "VPC_NATIVE"
  datapath_provider           = "ADVANCED_DATAPATH" # Dataplane V2: NetworkPolicy without an add-on
  enable_intranode_visibility = true
  # 128 addresses a node; a node holds about twenty servers and GKE's own pods.
  default_max_pods_per_node = 64

  deletion_protection      = var.deletion_protection
  enable_shielded_nodes    = true
  initial_node_count       = 1
  remove_default_node_pool = true

  # The default pool lives for minutes, but as the other pools do: with our account, not the project's default one.
  node_config {
    machine_type    = "e2-medium"
    service_account = local.nodes_email
    oauth_scopes    = ["https://www.googleapis.com/auth/cloud-platform"]

    shielded_instance_config {
      enable_integrity_monitoring = true
      enable_secure_boot          = true
    }

    workload_metadata_config {
      mode = "GKE_METADATA"
    }
  }

  node_pool_defaults {
    node_config_defaults {
      insecure_kubelet_readonly_port_enabled = "FALSE"
    }
  }

  ip_allocation_policy {
    cluster_secondary_range_name  = "pods"
    services_secondary_range_name = "services"
    stack_type                    = "IPV4"
  }

  private_cluster_config {
    enable_private_endpoint     = true
    enable_private_nodes        = true
    private_endpoint_subnetwork = google_compute_subnetwork.control_plane.id
  }

  master_authorized_networks_config {
    gcp_public_cidrs_access_enabled      = false
    private_endpoint_enforcement_enabled = true

    cidr_blocks {
      cidr_block   = var.functions_cidr
      display_name = "reconcile_shard"
    }
  }

  # IAM decides who gets through the DNS name (container.clusters.connect), RBAC what they may do. It carries no
  # token or certificate of Kubernetes' own.
  control_plane_endpoints_config {
    dns_endpoint_config {
      allow_external_traffic    = true
      enable_k8s_certs_via_dns  = false
      enable_k8s_tokens_via_dns = false
    }

    ip_endpoints_config {
      enabled = true
    }
  }

  master_auth {
    client_certificate_config {
      issue_client_certificate = false
    }
  }

  enable_legacy_abac = false

  # Nobody is anonymous but the health checks, and no binding may name everybody.
  anonymous_authentication_config {
    mode = "LIMITED"
  }

  rbac_binding_config {
    enable_insecure_binding_system_authenticated   = false
    enable_insecure_binding_system_unauthenticated = false
  }

  workload_identity_config {
    workload_pool = "${var.project_id}.svc.id.goog"
  }

  # Google encrypts what the cluster stores. A key of our own on top would guard Secrets, and Berth keeps none
  # in the cluster: pods have Workload Identity, functions Google's tokens.
  database_encryption {
    state = "DECRYPTED"
  }

  addons_config {
    gcs_fuse_csi_driver_config {
      enabled = true
    }

    gce_persistent_disk_csi_driver_config {
      enabled = true # GKE's default; no volume of ours uses it
    }

    horizontal_pod_autoscaling {
      disabled = false
    }

    # Nothing is published from the cluster.
    http_load_balancing {
      disabled = true
    }
  }

  service_external_ips_config {
    enabled = false
  }

  release_channel {
    channel = var.environment == "prod" ? "STABLE" : "REGULAR"
  }

  # Nights from Tuesday to Thursday, UTC: 12 h a week, where GKE asks for 48 h in 32 days.
  maintenance_policy {
    recurring_window {
      start_time = "2026-01-06T01:00:00Z"
      end_time   = "2026-01-06T05:00:00Z"
      recurrence = "FREQ=WEEKLY;BYDAY=TU,WE,TH"
    }
  }

  logging_config {
    enable_components = ["SYSTEM_COMPONENTS", "WORKLOADS", "APISERVER"]
  }

  monitoring_config {
    enable_components = ["SYSTEM_COMPONENTS", "DEPLOYMENT", "HPA", "POD"]

    managed_prometheus {
      enabled = true
    }
  }

  security_posture_config {
    mode = "BASIC"
  }

  cost_management_config {
    enabled = true
  }

  resource_labels = {
    app         = "berth"
    environment = var.environment
  }

  timeouts {
    create = "60m"
    update = "60m"
    delete = "60m"
  }

  lifecycle {
    # Of the default pool, which is gone.
    ignore_changes = [node_config, initial_node_count]
  }

  depends_on = [
    google_project_iam_member.nodes,
    google_compute_firewall.egress_cluster,
    google_compute_firewall.egress_control_plane,
    google_compute_firewall.egress_google,
    google_compute_route.google,
    google_dns_record_set.google_names,
  ]
}
