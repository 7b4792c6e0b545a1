"""The pure parts of a deployment: what is asked for, what is destroyed, how problems are told."""

import json
import re
from dataclasses import dataclass, field

import pytest
import yaml

from infra import functions, image
from infra.deploy import (
    cluster,
    destroy,
    permissions,
    progress,
    serving_image,
    terraform,
    variables,
)
from infra.deploy.permissions import Group, Lack
from infra.deploy.problems import NotReady, Problem, Refused
from infra.deploy.site import TERRAFORM, Google, Site
from infra.deploy.steps import STEPS, Step

RESOURCES = {
    kind
    for path in TERRAFORM.glob("*.tf")
    for kind in re.findall(r'^resource "(\w+)"', path.read_text(), re.MULTILINE)
}


@pytest.fixture
def site(tmp_path):
    said = []
    made = {"region": "europe-west1", "functions_cidr": "10.10.8.0/24"}
    return Site("p-berth", "1", "dev", made, Google("p-berth"), tmp_path, said.append)


def test_every_kind_of_resource_has_its_permissions_and_none_is_left_over():
    named = {one for group in permissions.read() for one in group.resources} - {"deploy"}
    assert named == RESOURCES


def test_no_permission_is_asked_for_twice_in_a_group():
    for group in permissions.read():
        assert len(set(group.permissions)) == len(group.permissions)
        assert list(group.permissions) == sorted(group.permissions)


def test_an_incomplete_group_is_named_with_what_it_lacks():
    groups = [
        Group(purpose="a", role="roles/x.admin", resources=(), permissions=("x.a.b", "x.a.c")),
        Group(purpose="b", role="roles/y.admin", resources=(), permissions=("y.a.b",)),
    ]
    assert permissions.lacks(groups, ["x.a.b", "y.a.b"]) == [Lack("a", "roles/x.admin", ("x.a.c",))]
    assert permissions.lacks(groups, ["x.a.b", "x.a.c", "y.a.b"]) == []


def test_data_services_and_folders_are_kept_and_all_else_goes():
    addresses = [
        'google_cloudfunctions2_function.called["status"]',
        'google_project_service.berth["run.googleapis.com"]',
        "google_storage_bucket.bundles",
        "google_storage_bucket.control",
        "google_storage_bucket.models",
        "google_storage_bucket.uploads",
        'google_storage_bucket_iam_member.function["status control get"]',
        'google_storage_managed_folder.uploader["acme"]',
        'google_storage_managed_folder_iam_member.uploader["acme user:a"]',
    ]
    kept = set(addresses) - set(destroy.targets(addresses))
    assert kept == {addresses[1], *addresses[3:6], addresses[7]}


def test_what_is_kept_by_name_is_in_the_terraform_files():
    text = "\n".join(path.read_text() for path in TERRAFORM.glob("*.tf"))
    for one in destroy.KEPT:
        kind, _, name = one.partition(".")
        assert re.search(rf'^resource "{kind}" "{name}', text, re.MULTILINE), one


def test_protected_resources_are_found_by_the_states_word():
    values = {"a": {"deletion_protection": True}, "b": {"deletion_protection": False}, "c": {}}
    assert destroy.protected(values) == ["a"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        *(("platform@example.com", True), ("user:a@mail.example.org", True), ("TODO", True)),
        *(("<your group>", True), ("000000-000000-000000", True), ("group:my-org", True)),
        *(("ann@berth.dev", False), ("10.10.0.0/22", False), ("012345-6789AB-CDEF01", False)),
        ("serviceAccount:trainer@acme-training.iam.gserviceaccount.com", False),
    ],
)
def test_what_stands_for_nobody_is_told_from_an_address(text, found):
    assert bool(variables._PLACEHOLDER.search(text)) == found


def test_terraforms_errors_become_one_line_each():
    said = """
╷
│ Error: No value for required variable
│
│   on variables.tf line 9:
│    9: variable "region" {
│
│ The root module input variable "region" is not set, and has no default
│ value.
╵
╷
│ Error: Invalid value for variable
│
│   on dev.tfvars line 3:
│ nodes_cidr: must be a range.
╵
"""
    assert list(variables._errors(said, "dev.tfvars")) == [
        "dev.tfvars: region is not set",
        "dev.tfvars: Error: Invalid value for variable on dev.tfvars line 3: "
        "nodes_cidr: must be a range.",
    ]


def test_a_plans_changes_are_read_and_counted(tmp_path):
    def change(address, *actions, mode="managed"):
        return {"address": address, "mode": mode, "change": {"actions": list(actions)}}

    shown = {
        "resource_changes": [
            *(change("a", "create"), change("b", "no-op"), change("c", "delete", "create")),
            *(change("d", "create"), change("data.e", "read", mode="data")),
        ]
    }
    changes = tuple(terraform._changes(shown))
    assert changes == (("create", "a"), ("replace", "c"), ("create", "d"))
    assert str(terraform.Plan(tmp_path, changes, empty=False)) == "2 to create, 1 to replace"


def test_bundles_are_named_as_seen_from_terraform_so_that_any_checkout_says_the_same(site):
    path = functions.ROOT / "build" / "bundles" / "status-1.zip"
    terraform.write_bundle_variables(site, {"status": path})
    told = json.loads(terraform.bundle_variables(site).read_text())
    assert told == {"bundles": {"status": "../../build/bundles/status-1.zip"}}


def test_the_image_is_the_one_that_the_shards_ask_for(site):
    deployment = yaml.safe_load(image.DEPLOYMENT.read_text())
    (asked,) = [
        one["image"]
        for one in deployment["spec"]["template"]["spec"]["containers"]
        if one["name"] == "tensorflow-serving"
    ]
    assert serving_image.reference(site) == f"europe-west1-docker.pkg.dev/p-berth/{asked}"
    config = serving_image._config(site)
    assert config["images"] == [serving_image.reference(site)]
    assert str(config["serviceAccount"]).startswith(
        "projects/p-berth/serviceAccounts/berth-builder@"
    )


def test_a_changed_object_is_read_from_kubectls_diff():
    said = (
        "diff -u -N /tmp/LIVE-123/v1.ConfigMap.berth.a /tmp/MERGED-4/v1.ConfigMap.berth.a\n"
        "--- /tmp/LIVE-123/v1.ConfigMap.berth.a\n"
        "diff -u -N /tmp/LIVE-123/v1.Namespace..berth /tmp/MERGED-4/v1.Namespace..berth\n"
    )
    assert cluster._DIFFERS.findall(said) == ["v1.ConfigMap.berth.a", "v1.Namespace..berth"]


def test_problems_are_counted_and_each_has_its_command():
    problem = Problem("kubectl is not on PATH", "gcloud components install kubectl")
    assert str(NotReady([problem])) == (
        "not ready: 1 problem; nothing was made or changed\n"
        "  1. kubectl is not on PATH\n       gcloud components install kubectl"
    )


@dataclass
class World:
    done: list = field(default_factory=list)

    def step(self, name, error=None):
        def do(site):
            if error is not None:
                raise error
            self.done.append(name)
            return "unchanged"

        return Step(name, do, lambda site: [f"do {name}"], f"the log of {name}")


def test_the_first_step_that_fails_stops_and_says_how_to_go_on(site):
    world = World()
    steps = [world.step("a"), world.step("b", Refused("no quota")), world.step("c")]
    with pytest.raises(progress.StepFailed) as caught:
        progress.carry_out(steps, site)
    assert world.done == ["a"]
    told = str(caught.value)
    assert told.startswith("step 'b' failed: no quota")
    assert "look at: the log of b" in told
    assert "run the same command again" in told


def test_a_bug_is_not_told_as_a_failure_of_the_world(site):
    with pytest.raises(ZeroDivisionError):
        progress.carry_out([World().step("a", ZeroDivisionError())], site)


def test_the_page_for_operators_tells_every_step_in_order():
    page = (functions.ROOT / "docs" / "operations.md").read_text()
    table = page.split("|---|---|---|\n")[1].split("\n\n")[0]
    assert [row.split("|")[1].strip() for row in table.splitlines()] == [s.name for s in STEPS]


def test_foretelling_does_nothing(site):
    world = World()
    assert progress.foretell([world.step("a"), world.step("b")], site) == 2
    assert world.done == []
