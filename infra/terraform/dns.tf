# Inside the network Google's names resolve to private.googleapis.com and to nothing else. gcr.io is among
# them because GKE pulls its own images from there.

locals {
  google_zones = {
    gcr        = "gcr.io."
    googleapis = "googleapis.com."
    pkg        = "pkg.dev."
  }
}

resource "google_dns_managed_zone" "google" {
  for_each = local.google_zones

  name        = "berth-${each.key}"
  dns_name    = each.value
  description = "Google's private interfaces for the network berth."
  visibility  = "private"

  private_visibility_config {
    networks {
      network_url = google_compute_network.berth.id
    }
  }

  depends_on = [google_project_service.berth]
}

resource "google_dns_record_set" "google_address" {
  for_each = local.google_zones

  name         = each.key == "googleapis" ? "private.${each.value}" : each.value
  managed_zone = google_dns_managed_zone.google[each.key].name
  type         = "A"
  ttl          = 300
  rrdatas      = local.google_addresses
}

resource "google_dns_record_set" "google_names" {
  for_each = local.google_zones

  name         = "*.${each.value}"
  managed_zone = google_dns_managed_zone.google[each.key].name
  type         = "CNAME"
  ttl          = 300
  rrdatas      = [google_dns_record_set.google_address[each.key].name]
}
