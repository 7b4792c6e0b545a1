"""Real tofu over the google provider's real schema, with no account: what it refuses and what it does."""

import json
import re
import shutil
import textwrap

import pytest

from infra.offline import tofu
from infra.offline.workspace import TERRAFORM, Workspace

HEAD = """\
terraform {
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 8.7"
    }
  }
}

provider "google" {
  project        = "example-project"
  region         = "europe-west1"
  default_labels = { app = "berth" }
}
"""
GOOD = """\
variable "days" {
  type    = number
  default = 7
}

data "google_project" "here" {}

resource "google_service_account" "sender" {
  account_id = "sender"
}

resource "google_storage_bucket" "inbox" {
  name     = "inbox-${data.google_project.here.number}"
  location = "EU"
  labels   = { days = var.days }

  versioning {
    enabled = true
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      age = var.days
    }
  }
}

resource "google_storage_bucket_iam_member" "sender" {
  bucket = google_storage_bucket.inbox.name
  role   = "roles/storage.objectCreator"
  member = google_service_account.sender.member
}

output "inbox" {
  value = google_storage_bucket.inbox.self_link
}
"""


@pytest.fixture
def workspace(tmp_path):
    def make(text, **variables):
        source = tmp_path / "source"
        source.mkdir()
        (source / "head.tf").write_text(HEAD)
        (source / "main.tf").write_text(textwrap.dedent(text))
        made = Workspace(tmp_path / "copy", source=source, variables=variables)
        made.init()
        return made

    return make


def changed(plan):
    """The addresses that a plan would touch, with what it would do."""
    rows = {row["address"]: row["change"]["actions"] for row in plan["resource_changes"]}
    return {address: actions for address, actions in rows.items() if actions != ["no-op"]}


BUCKET = """\
resource "google_storage_bucket" "inbox" {{
  name     = "inbox"
  location = "EU"
  {line}
}}
data "google_project" "here" {{}}
resource "google_service_account" "sender" {{
  account_id = "sender"
}}
resource "google_storage_bucket_iam_member" "sender" {{
  bucket = "inbox"
  role   = "roles/storage.objectCreator"
  member = google_service_account.sender.member
}}
"""
REFUSED = {
    "misspelt argument": ("forse_destroy = true", "Unsupported argument"),
    "misspelt block": ("versionning {}", "Unsupported block type"),
    "argument for a block": ("versioning = { enabled = true }", "Unsupported argument"),
    "block for an argument": ('labels { a = "b" }', "Unsupported block type"),
    "argument missing in a block": ("versioning {}", "Missing required argument"),
    "block missing in a block": (
        "lifecycle_rule {\n condition { age = 1 }\n}",
        "Insufficient action blocks",
    ),
    "a block too many": (
        "versioning { enabled = true }\nversioning { enabled = true }",
        "Too many versioning blocks",
    ),
    "wrong type": ('force_destroy = "perhaps"', "Incorrect attribute value type"),
    "wrong type in a map": ('labels = ["a"]', "Incorrect attribute value type"),
    "what the cloud decides": ('self_link = "here"', "Only the cloud decides"),
    "what the cloud decides in a block": (
        'soft_delete_policy { effective_time = "2026-01-01T00:00:00Z" }',
        "Only the cloud decides",
    ),
    "attribute that is not there": (
        "storage_class = google_service_account.sender.mail",
        "Unsupported attribute",
    ),
}


@pytest.mark.parametrize(("line", "words"), REFUSED.values(), ids=REFUSED)
def test_what_the_provider_does_not_know_is_refused_with_its_line(workspace, line, words):
    # a second block is refused where it stands: one line below the first
    number = 5 if words.startswith("Too many") else 4
    with pytest.raises(tofu.Failed, match=words) as refused:
        workspace(BUCKET.format(line=line)).validate()
    assert re.search(rf"on main\.tf line {number},", str(refused.value)), refused.value


def test_a_value_that_an_argument_does_not_take_is_refused_with_its_line(workspace):
    rule = """\
        resource "google_compute_firewall" "in" {
          name      = "in"
          network   = "berth"
          direction = "INWARDS"
        }
        """
    with pytest.raises(tofu.Failed, match='"INWARDS" is none of INGRESS, EGRESS') as refused:
        workspace(rule).validate()
    assert "on main.tf line 4," in str(refused.value)


def test_a_missing_required_argument_is_refused_where_the_resource_begins(workspace):
    with pytest.raises(tofu.Failed, match='"location" is required') as refused:
        workspace(BUCKET.format(line="").replace('location = "EU"', "")).validate()
    assert "on main.tf line 1," in str(refused.value)


def test_a_resource_that_the_provider_does_not_have_is_refused(workspace):
    with pytest.raises(tofu.Failed, match="Invalid resource type") as refused:
        workspace('resource "google_storage_pail" "inbox" {\n}\n').validate()
    assert "on main.tf line 1," in str(refused.value)


def test_what_is_right_passes(workspace):
    workspace(BUCKET.format(line="force_destroy = true")).validate()


def test_what_was_applied_needs_no_change(workspace):
    made = workspace(GOOD)
    assert [*changed(made.plan()).values()] == [["create"]] * 3
    made.apply()
    assert changed(made.plan()) == {}
    assert made.state_list() == [
        "data.google_project.here",
        "google_service_account.sender",
        "google_storage_bucket.inbox",
        "google_storage_bucket_iam_member.sender",
    ]


def test_what_only_the_cloud_knows_is_unknown_until_it_was_made(workspace):
    made = workspace(GOOD)
    rows = {row["address"]: row["change"] for row in made.plan()["resource_changes"]}
    assert rows["google_storage_bucket_iam_member.sender"]["after_unknown"]["member"]
    assert rows["google_storage_bucket.inbox"]["after"]["name"] == "inbox-123456789012"
    assert rows["google_storage_bucket.inbox"]["after"]["project"] == "example-project"
    made.apply()
    values = {
        row["address"]: row["values"] for row in made.state()["values"]["root_module"]["resources"]
    }
    sender = "sender@example-project.iam.gserviceaccount.com"
    assert values["google_service_account.sender"]["email"] == sender
    assert values["google_storage_bucket_iam_member.sender"]["member"] == f"serviceAccount:{sender}"
    assert values["google_storage_bucket.inbox"]["effective_labels"] == {
        "app": "berth",
        "days": "7",
    }


def test_a_change_is_an_update_of_that_resource_alone(workspace):
    made = workspace(GOOD)
    made.apply()
    path = made.folder / "main.tf"
    path.write_text(path.read_text().replace("default = 7", "default = 8"))
    plan = made.plan()
    assert changed(plan) == {"google_storage_bucket.inbox": ["update"]}
    (change,) = (
        row["change"] for row in plan["resource_changes"] if "update" in row["change"]["actions"]
    )
    assert change["after"]["effective_labels"] == {"app": "berth", "days": "8"}
    assert change["after"]["self_link"] == change["before"]["self_link"]
    made.apply()
    assert changed(made.plan()) == {}


def test_another_name_or_another_grant_is_another_object(workspace):
    made = workspace(GOOD)
    made.apply()
    path = made.folder / "main.tf"
    path.write_text(path.read_text().replace('"sender"\n}', '"writer"\n}'))
    assert changed(made.plan()) == {
        "google_service_account.sender": ["delete", "create"],
        "google_storage_bucket_iam_member.sender": ["delete", "create"],
    }
    path.write_text(path.read_text().replace("inbox-", "box-").replace('"writer"', '"sender"'))
    assert changed(made.plan()) == {
        "google_storage_bucket.inbox": ["delete", "create"],
        "google_storage_bucket_iam_member.sender": ["delete", "create"],
    }
    made.apply()
    assert changed(made.plan()) == {}


def test_a_target_is_destroyed_with_what_depends_on_it_and_the_rest_stays(workspace):
    made = workspace(GOOD)
    made.apply()
    made.destroy(["google_service_account.sender"])
    assert made.state_list() == ["data.google_project.here", "google_storage_bucket.inbox"]
    made.destroy()
    assert made.state_list() == []


def test_variables_win_over_those_of_the_environment(workspace):
    plan = workspace(GOOD, days=30).plan()
    assert plan["variables"]["days"] == {"value": 30}


def test_nothing_of_the_machines_own_setting_reaches_tofu(workspace, monkeypatch):
    monkeypatch.setenv("TF_CLI_ARGS", "-nonsense")
    monkeypatch.setenv("TF_WORKSPACE", "elsewhere")
    workspace(GOOD).validate()


def test_files_that_are_not_formatted_are_named(tmp_path):
    (tmp_path / "env").mkdir()
    (tmp_path / "good.tf").write_text("locals {\n  a = 1\n}\n")
    (tmp_path / "env" / "bad.tfvars").write_text("a=1\n")
    assert tofu.unformatted(tmp_path) == ["env/bad.tfvars"]
    (tmp_path / "broken.tf").write_text("locals {")
    with pytest.raises(tofu.Failed, match=r"broken\.tf"):
        tofu.unformatted(tmp_path)


def test_our_files_are_formatted():
    assert tofu.unformatted(TERRAFORM) == []


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_our_files_are_valid_and_applying_them_twice_changes_nothing(tmp_path, environment):
    made = Workspace(tmp_path, environment)
    made.init()
    made.validate()
    made.apply()
    assert changed(made.plan()) == {}


def test_the_state_stays_in_the_copy(workspace):
    made = workspace(GOOD)
    made.apply()
    state = json.loads((made.folder / "terraform.tfstate").read_text())
    assert len(state["resources"]) == 4
    shutil.rmtree(made.folder / ".terraform")
    made.init()
    assert changed(made.plan()) == {}
