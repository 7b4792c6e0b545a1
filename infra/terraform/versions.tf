# Terraform or OpenTofu, the provider, and where the state is kept.

terraform {
  required_version = ">= 1.7"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 8.7"
    }
  }

  # `make deploy` makes the bucket <project_id>-berth-state and names it at init.
  backend "gcs" {}
}

provider "google" {
  project = var.project_id
  region  = var.region

  default_labels = {
    app         = "berth"
    environment = var.environment
  }
}
