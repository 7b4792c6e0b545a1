# What a deployment chooses. env/<environment>.tfvars sets all but project_id and bundles, which
# `make deploy` gives.

variable "alert_emails" {
  description = "Where alerts go. Each address gets every alert."
  type        = list(string)
  nullable    = false

  validation {
    condition     = alltrue([for one in var.alert_emails : can(regex("^[^@\\s]+@[^@\\s]+$", one))])
    error_message = "alert_emails: each must be an e-mail address."
  }
}

variable "budget" {
  description = "A monthly budget on the project: the billing account that pays (XXXXXX-XXXXXX-XXXXXX), the amount, and its currency (that of the account). Null makes none."
  type = object({
    billing_account = string
    amount          = number
    currency        = string
  })

  validation {
    condition     = var.budget == null ? true : can(regex("^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$", var.budget.billing_account))
    error_message = "budget.billing_account: must be like 012345-6789AB-CDEF01."
  }

  validation {
    condition     = var.budget == null ? true : var.budget.amount >= 1
    error_message = "budget.amount: must be at least 1."
  }

  validation {
    condition     = var.budget == null ? true : can(regex("^[A-Z]{3}$", var.budget.currency))
    error_message = "budget.currency: must be a code of three letters, like EUR."
  }
}

variable "bundles" {
  description = "The zip of each function of functions/functions.yaml, by the function's name; infra/bundle.py builds them."
  type        = map(string)
  nullable    = false
}

variable "cluster_operators" {
  description = "Principals who may reach the cluster's control plane by its DNS endpoint, like group:platform@example.com. What they may do there is for RBAC to say."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for one in var.cluster_operators : can(regex("^(user|group|serviceAccount|principal|principalSet):.+$", one))])
    error_message = "cluster_operators: each must be a principal like user:, group:, serviceAccount:, principal: or principalSet:."
  }
}

variable "control_plane_cidr" {
  description = "The private range of the cluster's control plane: a /28 that nothing else in the network uses."
  type        = string
  nullable    = false

  validation {
    condition     = can(cidrhost(var.control_plane_cidr, 0)) && endswith(var.control_plane_cidr, "/28")
    error_message = "control_plane_cidr: must be a /28."
  }
}

variable "deletion_protection" {
  description = "Whether the cluster refuses to be destroyed. The data buckets always do."
  type        = bool
  nullable    = false
}

variable "environment" {
  description = "Which deployment this is: dev or prod."
  type        = string
  nullable    = false

  validation {
    condition     = contains(["dev", "prod"], var.environment)
    error_message = "environment: must be dev or prod."
  }
}

variable "functions_cidr" {
  description = "The range from which reconcile_shard reaches the cluster and the pods: at least a /26, since each instance takes addresses of its own."
  type        = string
  nullable    = false

  validation {
    condition     = can(cidrhost(var.functions_cidr, 0)) && try(tonumber(split("/", var.functions_cidr)[1]) <= 26, false)
    error_message = "functions_cidr: must be a range of /26 or larger."
  }
}

variable "nodes_cidr" {
  description = "The range of the cluster's nodes."
  type        = string
  nullable    = false

  validation {
    condition     = can(cidrhost(var.nodes_cidr, 0))
    error_message = "nodes_cidr: must be a range like 10.10.0.0/22."
  }
}

variable "pods_cidr" {
  description = "The range of the pods; each node takes a /25 of it."
  type        = string
  nullable    = false

  validation {
    condition     = can(cidrhost(var.pods_cidr, 0))
    error_message = "pods_cidr: must be a range like 10.16.0.0/14."
  }
}

variable "project_id" {
  description = "The project; it holds nothing but this Berth. Given at deploy."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "project_id: must be a project's ID: 6 to 30 of a-z, 0-9 and inner hyphens, beginning with a letter."
  }
}

variable "region" {
  description = "The one region of everything."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]{1,2}$", var.region))
    error_message = "region: must be a region like europe-west1."
  }
}

variable "services_cidr" {
  description = "The range of the cluster's services."
  type        = string
  nullable    = false

  validation {
    condition     = can(cidrhost(var.services_cidr, 0))
    error_message = "services_cidr: must be a range like 10.20.0.0/20."
  }
}

variable "serving_pool" {
  description = "The nodes that run the shards: machine type, boot disk in GB, and the least and most nodes in each of the region's zones."
  type = object({
    machine_type = string
    disk_gb      = number
    nodes_min    = number
    nodes_max    = number
  })
  nullable = false

  validation {
    condition     = var.serving_pool.disk_gb >= 20
    error_message = "serving_pool.disk_gb: must be at least 20."
  }

  validation {
    condition     = var.serving_pool.nodes_min >= 1 && var.serving_pool.nodes_max >= var.serving_pool.nodes_min
    error_message = "serving_pool: nodes_min must be at least 1, nodes_max at least nodes_min."
  }
}

variable "status_invokers" {
  description = "Principals who may ask the status function, like group:operations@example.com."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for one in var.status_invokers : can(regex("^(user|group|serviceAccount|principal|principalSet):.+$", one))])
    error_message = "status_invokers: each must be a principal like user:, group:, serviceAccount:, principal: or principalSet:. It is not for everybody: the page names customers."
  }
}

variable "system_pool" {
  description = "The nodes for what GKE itself runs: machine type, and the least and most nodes in all zones together."
  type = object({
    machine_type = string
    nodes_min    = number
    nodes_max    = number
  })
  nullable = false

  validation {
    condition     = var.system_pool.nodes_min >= 1 && var.system_pool.nodes_max >= var.system_pool.nodes_min
    error_message = "system_pool: nodes_min must be at least 1, nodes_max at least nodes_min."
  }
}

variable "uploaders" {
  description = "Who may upload for which customer: the customer's name to the principals who may write in its folder of the inbox, and in no other."
  type        = map(list(string))
  default     = {}
  nullable    = false

  validation {
    # The rule of shared/berth/domain/names.py.
    condition     = alltrue([for customer in keys(var.uploaders) : can(regex("^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$", customer)) && customer != "templates"])
    error_message = "uploaders: a customer's name is 1 to 40 of a-z, 0-9 and inner hyphens, and not templates."
  }

  validation {
    condition     = alltrue([for one in flatten(values(var.uploaders)) : can(regex("^(user|group|serviceAccount|principal|principalSet):.+$", one))])
    error_message = "uploaders: each must be a principal like user:, group:, serviceAccount:, principal: or principalSet:. Nobody uploads without a name."
  }
}

variable "zones" {
  description = "The zones of the region in which nodes run. Two let a shard outlive one of them; each holds at least serving_pool.nodes_min nodes."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.zones) >= 1 && length(distinct(var.zones)) == length(var.zones)
    error_message = "zones: name at least one, and each once."
  }

  validation {
    condition     = alltrue([for zone in var.zones : can(regex("^[a-z]+-[a-z]+[0-9]{1,2}-[a-z]$", zone))])
    error_message = "zones: each must be a zone like europe-west1-b."
  }
}
