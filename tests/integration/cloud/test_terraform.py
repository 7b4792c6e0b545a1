"""infra/terraform in a real tofu, without an account: what it would make, and what a second run does."""

import re
from pathlib import Path

import pytest
import yaml

from infra import functions, schedules
from infra.deploy import destroy
from infra.functions import ROOT
from infra.local import pubsub
from infra.offline import tofu
from infra.offline.tofu import Failed
from infra.offline.workspace import Workspace
from tests.support import cloud_plan
from tests.support.cloud_plan import PROJECT

TABLE = functions.read()
DATA = ("uploads", "models", "control")


def address(name):
    kind = "called" if TABLE[name].is_http else "triggered"
    return f'google_cloudfunctions2_function.{kind}["{name}"]'


def changes(plan):
    """What a plan would do, by address."""
    return {
        one["address"]: one["change"]
        for one in plan["resource_changes"]
        if one["change"]["actions"] not in (["no-op"], ["read"])
    }


@pytest.mark.parametrize("name", TABLE)
def test_a_function_is_as_the_table_says(name, bundles):
    row = TABLE[name]
    planned = cloud_plan.resources("prod", "google_cloudfunctions2_function")[address(name)]
    build, service = planned["build_config"][0], planned["service_config"][0]
    assert planned["name"] == f"berth-{row.subscription}"
    assert (build["entry_point"], build["runtime"]) == (name, row.runtime)
    assert service["available_cpu"] == str(row.cpu)
    assert service["available_memory"] == f"{row.memory}Mi"
    assert service["timeout_seconds"] == row.timeout
    assert service["max_instance_request_concurrency"] == row.concurrency
    assert service["max_instance_count"] == row.instances
    assert service["service_account_email"] == f"{row.identity}@{PROJECT}.iam.gserviceaccount.com"
    assert service["ingress_settings"] == ("ALLOW_ALL" if row.is_http else "ALLOW_INTERNAL_ONLY")
    trigger = [
        {
            "event_type": "google.cloud.pubsub.topic.v1.messagePublished",
            "pubsub_topic": f"projects/{PROJECT}/topics/{row.topic}",
            "trigger_region": "europe-west1",
            "service_account_email": f"berth-trigger@{PROJECT}.iam.gserviceaccount.com",
            "retry_policy": "RETRY_POLICY_RETRY",
            "event_filters": [],
        }
    ]
    assert planned["event_trigger"] == ([] if row.is_http else trigger)


def test_the_plan_and_the_local_stack_have_the_same_functions():
    found = cloud_plan.resources("prod", "google_cloudfunctions2_function")
    assert set(found) == set(map(address, TABLE))


def test_every_environment_is_filled(applied):
    """Names as the table has them, and nothing of ${NAME} left, once the cloud has said what it knows."""
    found = {
        one["address"]: one["values"]["service_config"][0]["environment_variables"] or {}
        for one in applied.state()["values"]["root_module"]["resources"]
        if one["type"] == "google_cloudfunctions2_function"
    }
    for name, row in TABLE.items():
        environment = found[address(name)]
        assert set(environment) == set(row.environment)
        assert not any("$" in value or not value for value in environment.values())
    shard, admit = found[address("reconcile_shard")], found[address("admit_model")]
    assert shard["BERTH_CLUSTER_ENDPOINT"].startswith("https://")
    assert shard["BERTH_IMAGE_REGISTRY"] == f"europe-west1-docker.pkg.dev/{PROJECT}"
    assert admit["BERTH_PROBE_URL"].startswith("https://berth-probe-model-")
    assert admit["BERTH_EVENTS_TOPIC"] == f"projects/{PROJECT}/topics/model-events"
    assert admit["BERTH_MODELS_BUCKET"] == f"{PROJECT}-berth-models"


def test_only_reconcile_shard_is_in_the_network():
    found = cloud_plan.resources("prod", "google_cloudfunctions2_function")
    inside = {
        one["build_config"][0]["entry_point"]: one["service_config"][0]
        for one in found.values()
        if one["service_config"][0]["direct_vpc_network_interface"]
    }
    assert set(inside) == {"reconcile_shard"}
    egress = inside["reconcile_shard"]
    assert egress["direct_vpc_egress"] == "VPC_EGRESS_PRIVATE_RANGES_ONLY"
    interface = egress["direct_vpc_network_interface"][0]
    assert (interface["network"], interface["subnetwork"]) == ("berth", "functions")


def test_the_cloud_has_the_topics_and_dead_letters_of_the_local_stack():
    made = []

    class Recorded(pubsub.Project):
        def put(self, resource, body):
            made.append(resource)

    scheduled = {one.topic for one in schedules.read()}
    pubsub.create(Recorded("nowhere", PROJECT), TABLE.values(), scheduled)
    topics = {one["name"] for one in cloud_plan.resources("prod", "google_pubsub_topic").values()}
    assert {f"projects/{PROJECT}/topics/{one}" for one in topics} == {
        one for one in made if "/topics/" in one
    }
    dead = {
        (one["name"], one["topic"])
        for one in cloud_plan.resources("prod", "google_pubsub_subscription").values()
    }
    assert dead == {(one, one) for one in topics if one.endswith("-dead")}


def test_what_the_inbox_gets_is_told():
    (told,) = cloud_plan.resources("prod", "google_storage_notification").values()
    assert told["bucket"] == f"{PROJECT}-berth-uploads"
    assert told["topic"] == f"projects/{PROJECT}/topics/{TABLE['on_upload'].topic}"
    assert (told["event_types"], told["payload_format"]) == (["OBJECT_FINALIZE"], "JSON_API_V1")


def test_buckets_are_closed_and_forgive():
    buckets = cloud_plan.resources("prod", "google_storage_bucket")
    assert len(buckets) == 4
    for one in buckets.values():
        assert one["public_access_prevention"] == "enforced"
        assert one["uniform_bucket_level_access"] is True
        assert not one["force_destroy"]
        assert one["soft_delete_policy"][0]["retention_duration_seconds"] >= 7 * 86_400
    assert buckets["google_storage_bucket.control"]["versioning"] == [{"enabled": True}]


def test_a_second_run_does_nothing(applied):
    assert changes(applied.plan()) == {}


def test_a_changed_bundle_changes_its_function_and_nothing_else(copied, bundles, tmp_path):
    other = tmp_path / "on_upload.zip"
    other.write_bytes(bundles["on_upload"].read_bytes() + b"changed")
    found = changes(copied(bundles={**bundles, "on_upload": other}).plan())
    assert {one: change["actions"] for one, change in found.items()} == {
        'google_storage_bucket_object.bundle["on_upload"]': ["create", "delete"],
        address("on_upload"): ["update"],
    }
    before, after = (found[address("on_upload")][key] for key in ("before", "after"))
    assert before.pop("build_config") != after.pop("build_config")
    assert {key: value for key, value in after.items() if key in before} == {
        key: value for key, value in before.items() if key in after
    }


def test_a_changed_grant_is_given_before_the_old_one_is_taken(copied, bundles):
    workspace = copied(bundles=bundles)
    table = workspace.folder.parent / "grants.yaml"
    table.write_text(table.read_text().replace("get: [admissions/]", "get: [admissions/, models/]"))
    assert {one: change["actions"] for one, change in changes(workspace.plan()).items()} == {
        'google_storage_bucket_iam_member.function["on_upload control get"]': ["create", "delete"]
    }


def test_a_bundle_is_named_by_its_content(bundles):
    found = cloud_plan.resources("prod", "google_storage_bucket_object")
    assert len(found) == len(TABLE)
    assert all(
        re.fullmatch(rf"functions/{name}-[0-9a-f]{{12}}\.zip", found[key]["name"])
        for name in TABLE
        for key in [f'google_storage_bucket_object.bundle["{name}"]']
    )


def test_a_bundles_name_in_the_bucket_is_its_name_on_disk(applied, bundles):
    names = {
        one["values"]["name"]
        for one in applied.state()["values"]["root_module"]["resources"]
        if one["type"] == "google_storage_bucket_object"
    }
    assert names == {f"functions/{path.name}" for path in bundles.values()}


def test_where_a_bundle_was_built_does_not_matter(copied, bundles, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    moved = {
        name: Path(path.rename(elsewhere / path.name)) for name, path in _copies(bundles, tmp_path)
    }
    assert changes(copied(bundles=moved).plan()) == {}


def _copies(bundles, folder):
    for name, path in bundles.items():
        copy = folder / path.name
        copy.write_bytes(path.read_bytes())
        yield name, copy


def test_data_buckets_refuse_to_go(copied, bundles):
    with pytest.raises(Failed) as error:
        copied(bundles=bundles).destroy()
    text = " ".join(str(error.value).replace("│", "").split())
    for role in DATA:
        assert f"Resource google_storage_bucket.{role} has lifecycle.prevent_destroy set" in text


def test_destroying_what_may_go_leaves_buckets_and_services(copied, bundles):
    workspace = copied(bundles=bundles)
    managed = [one for one in workspace.state_list() if not one.startswith("data.")]
    workspace.destroy(destroy.targets(managed))
    left = {one for one in workspace.state_list() if not one.startswith("data.")}
    assert {one for one in left if not one.startswith("google_project_service.")} == {
        f"google_storage_bucket.{role}" for role in DATA
    }
    assert any(one.startswith("google_project_service.") for one in left)


@pytest.mark.parametrize(
    ("budget", "made"),
    [
        (None, 0),
        ({"billing_account": "012345-6789AB-CDEF01", "amount": 500, "currency": "EUR"}, 1),
    ],
)
def test_a_budget_is_made_only_where_one_is_given(budget, made):
    assert len(cloud_plan.resources("dev", "google_billing_budget", budget=budget)) == made


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("alert_emails", ["nobody"]),
        ("budget", {"billing_account": "mine", "amount": 5, "currency": "EUR"}),
        ("cluster_operators", ["ann@example.com"]),
        ("control_plane_cidr", "10.0.0.0/24"),
        ("environment", "staging"),
        ("functions_cidr", "10.0.0.0/28"),
        ("nodes_cidr", "everything"),
        ("project_id", "My Project"),
        ("region", "europe"),
        ("status_invokers", ["allUsers"]),
        ("uploaders", {"Acme": ["user:ann@example.com"]}),
        ("uploaders", {"acme": ["allAuthenticatedUsers"]}),
    ],
)
def test_a_wrong_variable_is_named(name, value, tmp_path):
    with pytest.raises(Failed, match=rf"{name}[.:]"):
        _planned(tmp_path, variables={name: value})


def test_a_bundle_that_is_missing_or_too_many_is_named(tmp_path, bundles):
    few = {name: path for name, path in bundles.items() if name != "status"}
    with pytest.raises(Failed, match="status"):
        _planned(tmp_path / "few", bundles=few)
    with pytest.raises(Failed, match="no function stranger"):
        _planned(tmp_path / "many", bundles={**bundles, "stranger": bundles["status"]})


def test_a_name_that_nothing_fills_is_an_error(tmp_path, bundles):
    workspace = Workspace(tmp_path, "dev", bundles=bundles)
    table = workspace.folder.parents[1] / "functions" / "functions.yaml"
    document = yaml.safe_load(table.read_text())
    document["functions"]["status"]["environment"] = {"X": "a ${BERTH_MOON} b"}
    table.write_text(yaml.safe_dump(document))
    workspace.init()
    with pytest.raises(Failed, match="called_values"):
        workspace.plan()


def _planned(folder, **options):
    workspace = Workspace(folder, "dev", **options)
    workspace.init()
    return workspace.plan()


def test_it_is_written_as_tofu_writes_it():
    assert tofu.unformatted(ROOT / "infra" / "terraform") == []


def test_variables_and_outputs_are_in_order_and_described():
    for file, word in (("variables.tf", "variable"), ("outputs.tf", "output")):
        text = (ROOT / "infra" / "terraform" / file).read_text()
        names = re.findall(rf'^{word} "(\w+)"', text, re.MULTILINE)
        assert names == sorted(names)
        assert text.count("  description = ") == len(names)
