"""Network, cluster and nodes as the plans of both environments have them."""

import itertools

import pytest
import yaml

from infra.functions import ROOT
from tests.support import cloud_plan

BOTH = pytest.mark.parametrize("environment", ["dev", "prod"])
RANGES = ("nodes_cidr", "pods_cidr", "services_cidr", "control_plane_cidr", "functions_cidr")
GOOGLE = cloud_plan.network("199.36.153.8/30")


def only(environment, kind):
    """The one resource of a kind."""
    (values,) = cloud_plan.resources(environment, kind).values()
    return values


@BOTH
def test_nothing_has_an_external_address(environment):
    for kind in (
        "google_compute_address",
        "google_compute_global_address",
        "google_compute_router",
    ):
        assert not cloud_plan.resources(environment, kind)
    cluster = only(environment, "google_container_cluster")
    (private,) = cluster["private_cluster_config"]
    assert private["enable_private_nodes"]
    assert private["enable_private_endpoint"]
    for address, pool in cloud_plan.resources(environment, "google_container_node_pool").items():
        assert pool["network_config"][0]["enable_private_nodes"], address
    for address, function in cloud_plan.resources(
        environment, "google_cloudfunctions2_function"
    ).items():
        (service,) = function["service_config"]
        assert service.get("direct_vpc_egress") in (None, "VPC_EGRESS_PRIVATE_RANGES_ONLY"), address
        assert not service.get("vpc_connector"), address


@BOTH
def test_the_only_way_out_is_to_google(environment):
    network = only(environment, "google_compute_network")
    assert network["delete_default_routes_on_create"]
    assert not network["auto_create_subnetworks"]
    assert only(environment, "google_compute_route")["dest_range"] == str(GOOGLE)
    ours = {cloud_plan.network(value) for value in ranges(environment).values()} | {GOOGLE}
    denied = []
    for name, rule in cloud_plan.resources(environment, "google_compute_firewall").items():
        destinations = [cloud_plan.network(text) for text in rule.get("destination_ranges") or []]
        if rule["direction"] == "EGRESS" and rule["allow"]:
            assert destinations, name
            assert set(destinations) <= ours, name
        if rule["deny"]:
            assert rule["priority"] == 65534, name
            assert rule["log_config"], name
            denied.append(rule["direction"])
    assert sorted(denied) == ["EGRESS", "INGRESS"]


@BOTH
def test_what_may_come_in_is_the_functions_to_the_servers_port(environment):
    allowed = [
        rule
        for rule in cloud_plan.resources(environment, "google_compute_firewall").values()
        if rule["direction"] == "INGRESS" and rule["allow"]
    ]
    (rule,) = allowed
    mine = ranges(environment)
    assert rule["source_ranges"] == [mine["functions_cidr"]]
    assert rule["destination_ranges"] == [mine["pods_cidr"]]
    assert [(a["protocol"], a["ports"]) for a in rule["allow"]] == [("tcp", [grpc_port()])]


def grpc_port():
    """The port of the servers' reload call."""
    (container,) = shard()["spec"]["template"]["spec"]["containers"]
    return str(next(p["containerPort"] for p in container["ports"] if p["name"] == "grpc"))


def shard():
    """The shard's Deployment."""
    return yaml.safe_load((ROOT / "k8s/shard/deployment.yaml").read_text().split("\n---\n")[0])


@BOTH
def test_only_the_functions_range_reaches_the_control_planes_address(environment):
    cluster = only(environment, "google_container_cluster")
    (networks,) = cluster["master_authorized_networks_config"]
    blocks = [block["cidr_block"] for block in networks["cidr_blocks"]]
    assert blocks == [ranges(environment)["functions_cidr"]]
    assert not networks["gcp_public_cidrs_access_enabled"]
    assert networks["private_endpoint_enforcement_enabled"]


@BOTH
def test_googles_names_resolve_to_the_private_range(environment):
    zones = cloud_plan.resources(environment, "google_dns_managed_zone")
    assert {zone["dns_name"] for zone in zones.values()} == {
        "googleapis.com.",
        "gcr.io.",
        "pkg.dev.",
    }
    assert {zone["visibility"] for zone in zones.values()} == {"private"}
    records = cloud_plan.resources(environment, "google_dns_record_set").values()
    addresses = {r["name"]: r["rrdatas"] for r in records if r["type"] == "A"}
    assert len(addresses) == 3
    for data in addresses.values():
        assert sorted(data) == sorted(str(address) for address in GOOGLE)
    aliases = {r["name"]: r["rrdatas"] for r in records if r["type"] == "CNAME"}
    assert set(aliases) == {"*.googleapis.com.", "*.gcr.io.", "*.pkg.dev."}
    for name, (target,) in aliases.items():
        assert target in addresses
        assert target.endswith(name.removeprefix("*."))


@BOTH
def test_a_shard_runs_on_the_serving_pool_and_nothing_else_does(environment):
    pod = shard()["spec"]["template"]["spec"]
    pools = cloud_plan.resources(environment, "google_container_node_pool")
    by_name = {pool["name"]: pool["node_config"][0] for pool in pools.values()}
    assert set(by_name) == {"system", "serving"}
    selected = [
        name
        for name, config in by_name.items()
        if pod["nodeSelector"].items() <= config["labels"].items()
    ]
    assert selected == ["serving"]
    effects = {"NO_SCHEDULE": "NoSchedule", "NO_EXECUTE": "NoExecute"}
    (taint,) = by_name["serving"]["taint"]
    tolerated = [
        toleration
        for toleration in pod["tolerations"]
        if toleration["key"] == taint["key"]
        and toleration.get("operator", "Equal") == "Equal"
        and toleration["value"] == taint["value"]
        and toleration["effect"] == effects[taint["effect"]]
    ]
    assert tolerated == pod["tolerations"]
    assert not by_name["system"]["taint"]


@BOTH
def test_nodes_are_hardened(environment):
    for address, pool in cloud_plan.resources(environment, "google_container_node_pool").items():
        (config,) = pool["node_config"]
        assert config["image_type"] == "COS_CONTAINERD", address
        assert config["gvnic"][0]["enabled"], address
        assert config["shielded_instance_config"][0]["enable_secure_boot"], address
        assert config["workload_metadata_config"][0]["mode"] == "GKE_METADATA", address
        project = cloud_plan.PROJECT
        assert config["service_account"] == f"berth-nodes@{project}.iam.gserviceaccount.com", (
            address
        )
        (upgrade,) = pool["upgrade_settings"]
        assert (upgrade["max_surge"], upgrade["max_unavailable"]) == (1, 0), address


@BOTH
def test_the_nodes_account_may_write_and_pull_only(environment):
    account = f"serviceAccount:berth-nodes@{cloud_plan.PROJECT}.iam.gserviceaccount.com"
    grants = {
        (kind, values["role"])
        for kind in ("google_project_iam_member", "google_artifact_registry_repository_iam_member")
        for values in cloud_plan.resources(environment, kind).values()
        if values["member"] == account
    }
    assert grants == {
        ("google_project_iam_member", "roles/container.defaultNodeServiceAccount"),
        ("google_artifact_registry_repository_iam_member", "roles/artifactregistry.reader"),
    }


def ranges(environment):
    """The ranges of an environment by the variable's name."""
    chosen = cloud_plan.variables(environment)
    return {name: chosen[name] for name in RANGES}


@BOTH
def test_ranges_do_not_overlap(environment):
    found = [*ranges(environment).values(), str(GOOGLE)]
    for one, other in itertools.combinations(map(cloud_plan.network, found), 2):
        assert not one.overlaps(other), (one, other)


def test_environments_can_be_peered():
    both = [cloud_plan.network(text) for e in ("dev", "prod") for text in ranges(e).values()]
    for one, other in itertools.combinations(both, 2):
        assert not one.overlaps(other), (one, other)


@BOTH
def test_ranges_hold_what_they_are_for(environment):
    """The nodes' range and the pods' (a /25 a node) hold both pools at their most and a surge node each."""
    chosen = cloud_plan.variables(environment)
    cluster = only(environment, "google_container_cluster")
    assert cluster["default_max_pods_per_node"] == 64
    nodes = (
        chosen["system_pool"]["nodes_max"]
        + chosen["serving_pool"]["nodes_max"] * len(chosen["zones"])
        + 2
    )
    mine = {name: cloud_plan.network(text) for name, text in ranges(environment).items()}
    assert mine["nodes_cidr"].num_addresses - 4 >= nodes
    assert mine["pods_cidr"].num_addresses // 128 >= nodes
    functions = cloud_plan.resources(environment, "google_cloudfunctions2_function").values()
    shards = next(f for f in functions if f["name"] == "berth-reconcile-shard")
    instances = shards["service_config"][0]["max_instance_count"]
    # Twice an instance, and twice that while a new revision takes over.
    assert mine["functions_cidr"].num_addresses >= 4 * instances


def test_the_budget_is_made_where_it_is_asked_for():
    assert not cloud_plan.resources("prod", "google_billing_budget")
    asked = {"billing_account": "012345-6789AB-CDEF01", "amount": 700, "currency": "EUR"}
    (budget,) = cloud_plan.resources("dev", "google_billing_budget", budget=asked).values()
    (amount,) = budget["amount"][0]["specified_amount"]
    assert (amount["units"], amount["currency_code"]) == ("700", "EUR")
    rules = {(r["threshold_percent"], r["spend_basis"]) for r in budget["threshold_rules"]}
    assert (1, "FORECASTED_SPEND") in rules


def test_production_is_protected():
    assert only("prod", "google_container_cluster")["deletion_protection"]
    assert len(cloud_plan.variables("prod")["zones"]) >= 2
