"""The inventory is up to date, tells every grant, and holds what a security review relies on."""

import dataclasses
import json
import re

import pytest

from infra import inventory
from infra.inventory import known
from infra.inventory.grants import UnknownGrant, grants
from infra.inventory.identities import uses
from infra.inventory.source import PROJECT, Resource

DOMAIN = f"{PROJECT}.iam.gserviceaccount.com"
# Nobody else may do anything on the whole project, and these no more than this: each role has no narrower
# level, or is held to one bucket by its condition.
PROJECT_LEVEL = {
    (f"serviceAccount:berth-builder@{DOMAIN}", "roles/logging.logWriter", ""),
    (
        f"serviceAccount:berth-builder@{DOMAIN}",
        "roles/storage.objectViewer",
        "gcf-v2-sources-123456789012-europe-west1",
    ),
    (f"serviceAccount:berth-nodes@{DOMAIN}", "roles/container.defaultNodeServiceAccount", ""),
    ("group:berth-operators@example.com", f"projects/{PROJECT}/roles/berthConnect", ""),
}


@pytest.fixture(scope="module")
def gathered():
    return inventory.gather()


@pytest.fixture(scope="module")
def text(gathered):
    return inventory.render(gathered)


def bucket(condition):
    """The one bucket that a condition names; "" where there is no condition."""
    named = set(re.findall(r"projects/_/buckets/([^/\"]+)", condition))
    assert len(named) == bool(condition), condition
    return next(iter(named), "")


def with_resource(gathered, kind, **values):
    extra = Resource(f"{kind}.extra", kind, values)
    return dataclasses.replace(gathered, resources=(*gathered.resources, extra))


def test_the_document_is_up_to_date(text):
    assert inventory.FILE.read_text("utf-8") == text, "make inventory, and review the difference"


def test_the_document_is_the_same_in_any_order(gathered, text):
    turned = dataclasses.replace(
        gathered,
        resources=gathered.resources[::-1],
        functions=dict(reversed(gathered.functions.items())),
        schedules=gathered.schedules[::-1],
        objects=gathered.objects[::-1],
    )
    assert inventory.render(turned) == text


def test_only_two_machine_identities_and_named_operators_have_a_role_on_the_project(gathered):
    on_project = {
        (one.member, one.role, bucket(one.condition))
        for one in grants(gathered)
        if one.level == "project"
    }
    assert on_project == PROJECT_LEVEL


def test_every_other_grant_is_on_one_named_thing(gathered):
    levels = {one.level for one in grants(gathered)}
    assert levels == {
        "bucket",
        "folder",
        "function",
        "project",
        "repository",
        "subscription",
        "topic",
    }
    for one in grants(gathered):
        assert one.resource, one
        assert not one.role.startswith(("roles/owner", "roles/editor", "roles/viewer")), one
        assert "allUsers" not in one.member, one
        assert "allAuthenticatedUsers" not in one.member, one


def test_probe_model_has_no_grant_at_all(gathered):
    account = f"berth-probe-model@{DOMAIN}"
    assert uses(gathered)[account] == ["function berth-probe-model"]
    assert not [one for one in grants(gathered) if account in one.member]
    bound = [one for one in gathered.objects if one["kind"].endswith("Binding")]
    assert bound
    assert account not in json.dumps(bound)


def test_every_identity_runs_something_and_nothing_runs_as_a_default_one(gathered):
    assert all(uses(gathered).values())
    made = {one.values["email"] for one in gathered.of("google_service_account")}
    assert set(uses(gathered)) == made


def test_every_grant_is_told_with_all_that_it_says(gathered, text):
    granting = [one for one in gathered.resources if "_iam_member" in one.kind]
    assert len(granting) > 50
    own = {
        f"projects/{PROJECT}/roles/{one.values['role_id']}": one.values["permissions"]
        for one in gathered.of("google_project_iam_custom_role")
    }
    parts = dict(re.findall(r"^### `(.+)`\n\n((?:\|.*\n)+)", text, re.MULTILINE))
    whole = text.partition("## Grants on one resource")[0]
    for one in granting:
        told = parts[one.values["member"]] + whole
        (row,) = {line for line in told.splitlines() if line.endswith(f"| {one.address} |")}
        named = [one.values.get(name) for name in ("bucket", "topic", "repository", "name")]
        assert next((name for name in named if name), PROJECT) in row
        for permission in own.get(one.values["role"], [one.values["role"]]):
            assert permission in row
        for condition in one.values.get("condition") or ():
            assert condition["expression"].replace("|", "\\|") in row


def test_every_resource_is_told(gathered, text):
    told = text.replace("\\|", "|")
    elsewhere = {"google_service_account": "email", "google_project_iam_custom_role": "role_id"}
    for one in gathered.resources:
        if name := elsewhere.get(one.kind):
            assert one.values[name] in told, one.address
        else:
            assert f"| {one.address} |" in told, one.address


def test_a_resource_of_a_kind_without_a_table_is_told_too(gathered):
    more = with_resource(gathered, "google_compute_address", name="door")
    assert "| google_compute_address.extra |" in inventory.render(more)


@pytest.mark.parametrize(
    "kind",
    [
        "google_folder_iam_member",
        "google_project_iam_binding",
        "google_pubsub_topic_iam_policy",
        "google_storage_bucket_access_control",
        "google_storage_bucket_acl",
    ],
)
def test_a_grant_of_an_unknown_kind_is_an_error(gathered, kind):
    with pytest.raises(UnknownGrant, match=kind):
        grants(with_resource(gathered, kind, member="allUsers"))


def test_nothing_made_up_is_told(text):
    assert not re.findall(r"[a-z]+-[a-z-]+-[0-9a-f]{12}\b", text)
    assert "2026-01-01T00:00:00Z" not in text


def test_what_only_the_cloud_knows_is_left_out_and_names_are_kept():
    values = {
        "email": "a@p.iam.gserviceaccount.com",
        "number": 1,
        "rpo": "storage-bucket-rpo-0123456789ab",
        "given": "storage-bucket-rpo-0123456789ab",
        "block": [{"set": 2, "count": 1}, {"set": 3}],
    }
    unknown = {"email": True, "number": True, "rpo": True, "block": [{"count": True}, {}]}
    assert known.known(values, unknown, "google_storage_bucket") == {
        "email": "a@p.iam.gserviceaccount.com",
        "given": "storage-bucket-rpo-0123456789ab",
        "block": [{"set": 2}, {"set": 3}],
    }
