"""Which facts of a resource a review needs: a table for each type, in columns of dotted paths."""

from dataclasses import dataclass

from infra.inventory.markdown import pick, table
from infra.inventory.source import Inventory


@dataclass(frozen=True, slots=True)
class Table:
    """A heading and its columns: what stands above them, and where in the values it is found."""

    title: str
    columns: dict[str, str]


# The order is the document's. A type that is not here gets a table of addresses at the end.
TABLES = {
    "google_project_service": Table("APIs switched on", {"API": "service"}),
    "google_storage_bucket": Table(
        "Buckets",
        {
            "Bucket": "name",
            "Location": "location",
            "Uniform access": "uniform_bucket_level_access",
            "Public access prevention": "public_access_prevention",
            "Versioning": "versioning.enabled",
            "Soft delete (s)": "soft_delete_policy.retention_duration_seconds",
            "Force destroy": "force_destroy",
            "Lifecycle": "lifecycle_rule",
        },
    ),
    "google_storage_managed_folder": Table(
        "Managed folders", {"Bucket": "bucket", "Folder": "name", "Force destroy": "force_destroy"}
    ),
    "google_storage_notification": Table(
        "Notifications of buckets",
        {"Bucket": "bucket", "Events": "event_types", "Topic": "topic"},
    ),
    "google_storage_bucket_object": Table("Objects", {"Bucket": "bucket", "Made from": "source"}),
    "google_pubsub_topic": Table(
        "Topics",
        {
            "Topic": "name",
            "Retention": "message_retention_duration",
            "Kept in": "message_storage_policy.allowed_persistence_regions",
        },
    ),
    "google_pubsub_subscription": Table(
        "Subscriptions",
        {
            "Subscription": "name",
            "Topic": "topic",
            "Retention": "message_retention_duration",
            "Acknowledge within (s)": "ack_deadline_seconds",
        },
    ),
    "google_cloudfunctions2_function": Table(
        "Functions",
        {
            "Function": "name",
            "Runs as": "service_config.service_account_email",
            "Topic": "event_trigger.pubsub_topic",
            "Ingress": "service_config.ingress_settings",
            "Network": "service_config.direct_vpc_network_interface.subnetwork",
            "CPUs": "service_config.available_cpu",
            "Memory": "service_config.available_memory",
            "Seconds": "service_config.timeout_seconds",
            "At once": "service_config.max_instance_request_concurrency",
            "Instances": "service_config.max_instance_count",
        },
    ),
    "google_artifact_registry_repository": Table(
        "Image repositories",
        {"Repository": "repository_id", "Location": "location", "Format": "format"},
    ),
    "google_compute_network": Table(
        "Networks",
        {"Network": "name", "Default routes deleted": "delete_default_routes_on_create"},
    ),
    "google_compute_subnetwork": Table(
        "Subnetworks",
        {
            "Subnetwork": "name",
            "Range": "ip_cidr_range",
            "Secondary ranges": "secondary_ip_range",
            "Private Google access": "private_ip_google_access",
        },
    ),
    "google_compute_route": Table(
        "Routes", {"Route": "name", "To": "dest_range", "By": "next_hop_gateway"}
    ),
    "google_compute_firewall": Table(
        "Firewall rules",
        {
            "Rule": "name",
            "Priority": "priority",
            "Direction": "direction",
            "Allow": "allow",
            "Deny": "deny",
            "From": "source_ranges",
            "To": "destination_ranges",
            "On nodes of": "target_service_accounts",
        },
    ),
    "google_dns_managed_zone": Table(
        "DNS zones", {"Zone": "name", "Name": "dns_name", "Visibility": "visibility"}
    ),
    "google_dns_record_set": Table(
        "DNS records", {"Name": "name", "Type": "type", "Values": "rrdatas"}
    ),
    "google_container_cluster": Table(
        "Clusters",
        {
            "Cluster": "name",
            "Location": "location",
            "Deletion protection": "deletion_protection",
            "Private nodes": "private_cluster_config.enable_private_nodes",
            "Private endpoint": "private_cluster_config.enable_private_endpoint",
            "Endpoint reached from": "master_authorized_networks_config.cidr_blocks",
            "DNS endpoint": (
                "control_plane_endpoints_config.dns_endpoint_config.allow_external_traffic"
            ),
            "Workload pool": "workload_identity_config.workload_pool",
            "Data plane": "datapath_provider",
        },
    ),
    "google_container_node_pool": Table(
        "Node pools",
        {
            "Pool": "name",
            "Machine": "node_config.machine_type",
            "Disk (GB)": "node_config.disk_size_gb",
            "Nodes": "autoscaling",
            "Runs as": "node_config.service_account",
            "Scopes": "node_config.oauth_scopes",
            "Taints": "node_config.taint",
        },
    ),
    "google_logging_metric": Table("Metrics from logs", {"Metric": "name", "Filter": "filter"}),
    "google_monitoring_notification_channel": Table(
        "Who is told", {"Type": "type", "To": "labels.email_address"}
    ),
    "google_monitoring_alert_policy": Table(
        "Alerts", {"Alert": "display_name", "Severity": "severity"}
    ),
    "google_billing_budget": Table(
        "Budgets",
        {
            "Budget": "display_name",
            "Amount": "amount.specified_amount.units",
            "Currency": "amount.specified_amount.currency_code",
            "Told at": "threshold_rules",
        },
    ),
}
# Told in parts of their own.
ELSEWHERE = {"google_service_account", "google_project_iam_custom_role"}


def tables(inventory: Inventory) -> list[str]:
    """A part for each type, with every resource that is neither a grant nor told elsewhere."""
    parts = [_part(inventory, kind, TABLES[kind]) for kind in TABLES if inventory.of(kind)]
    rest = sorted(
        one.address
        for one in inventory.resources
        if one.kind not in TABLES and one.kind not in ELSEWHERE and "_iam_" not in one.kind
    )
    if rest:
        parts.append("### Others\n\n" + table(["Address"], [[address] for address in rest]))
    return parts


def _part(inventory: Inventory, kind: str, shown: Table) -> str:
    rows = [
        [one.address, *(_value(one.values, path) for path in shown.columns.values())]
        for one in inventory.of(kind)
    ]
    return f"### {shown.title}\n\n" + table(["Address", *shown.columns], rows)


def _value(values: dict[str, object], path: str) -> object:
    found = pick(values, path)
    if path == "source":  # the bundle's file on this machine
        return str(found).rsplit("/", 1)[-1]
    return found
