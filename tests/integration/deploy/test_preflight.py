"""What is missing is named before anything is made, all of it at once, each with what mends it."""

import json

import pytest

from infra.deploy import permissions
from tests.support.deployment import ACCOUNT

TFVARS = "infra/terraform/env/dev.tfvars"


@pytest.fixture(params=["deploy", "plan"])
def command(request):
    return request.param


def refused(world, *wanted, command="deploy", count=None):
    """Run it: it must name every one of these, and change nothing."""
    done = world.run(command)
    assert done.status == 1
    assert [one for one in wanted if one not in done.error] == [], done.error
    assert "nothing was made or changed" in done.error
    assert count is None or f"not ready: {count} problem" in done.error, done.error
    assert world.nothing_was_made()
    return done.error


def test_missing_tools(world, command):
    for tool in ("kubectl", "tofu", "gke-gcloud-auth-plugin"):
        world.without(tool)
    error = refused(
        world,
        "kubectl is not on PATH\n       gcloud components install kubectl",
        "gke-gcloud-auth-plugin is not on PATH\n       gcloud components install gke-gcloud",
        "neither tofu nor terraform is on PATH\n       install OpenTofu 1.7",
        command=command,
    )
    assert "Traceback" not in error


def test_without_gcloud_the_rest_is_looked_at_all_the_same(world):
    world.without("gcloud")
    world.edit(TFVARS, "europe-west1", "europe-west99")
    done = world.run("deploy", "--project", world.project)
    assert done.status == 1
    assert "gcloud is not on PATH\n       install the Google Cloud CLI" in done.error
    assert (
        "region 'europe-west99' does not exist; there are europe-west1, europe-west4" in done.error
    )
    assert world.nothing_was_made()


def test_an_old_tofu(world):
    (world.bin / "tofu").write_text('#!/bin/sh\necho \'{"terraform_version": "1.6.2"}\'\n')
    refused(world, "tofu 1.6.2 is older than 1.7\n       install OpenTofu", count=1)


def test_missing_logins(world):
    world.told(account="")
    world.http.login_works = False
    refused(
        world,
        "gcloud has no active account\n       gcloud auth login",
        "there are no application default credentials that work",
        "\n       gcloud auth application-default login",
        count=2,
    )


def test_no_application_default_credentials_at_all(world):
    (world.cloud / "login.json").unlink()
    refused(world, "\n       gcloud auth application-default login", count=1)


def test_no_project_is_chosen(world):
    world.told(configured="")
    refused(world, "no project is chosen\n       gcloud config set project PROJECT", count=1)


def test_a_project_that_is_not_there(world):
    done = world.run("deploy", "--project", "somebody-elses")
    assert f"cannot be read as {ACCOUNT}" in done.error
    assert "gcloud projects create somebody-elses" in done.error
    assert world.nothing_was_made()


def test_a_project_without_billing_and_with_services_off(world):
    state = json.loads((world.cloud / "cloud.json").read_text())["projects"]
    state[world.project]["billing"] = False
    world.told(projects=state, services=["serviceusage.googleapis.com"])
    refused(
        world,
        f"has no billing account\n       gcloud billing projects link {world.project}",
        "services are off: cloudresourcemanager.googleapis.com\n       gcloud services enable "
        f"cloudresourcemanager.googleapis.com --project={world.project}",
        count=2,
    )


def test_permissions_variables_and_files_are_all_named_in_one_go(world, command):
    world.http.denied = {"storage.buckets.create", "pubsub.topics.create", "pubsub.topics.get"}
    world.edit(TFVARS, 'pods_cidr          = "10.11.0.0/16"\n', "")
    world.edit(TFVARS, "deletion_protection = false", "deletion_protection = maybe")
    world.edit("k8s/shard/deployment.yaml", "maxUnavailable: 0", "maxUnavailable: often")
    line = _line(world, "k8s/shard/deployment.yaml", "maxUnavailable: often")
    world.edit("infra/schedules.yaml", 'schedule: "7 * * * *"', "cron: hourly")
    refused(
        world,
        f"need: storage.buckets.create\n       gcloud projects add-iam-policy-binding {world.project}"
        f" --member=user:{ACCOUNT} --role=roles/storage.admin",
        "need: pubsub.topics.create, pubsub.topics.get\n",
        "--role=roles/pubsub.admin",
        "infra/terraform/env/dev.tfvars: pods_cidr is not set\n       edit infra/terraform/env/dev",
        f"k8s/shard/deployment.yaml:{line}:",
        "infra/schedules.yaml: schedules.1.schedule: Field required; schedules.1.cron: Extra",
        "edit infra/schedules.yaml",
        command=command,
    )


def test_a_table_of_functions_that_is_wrong_is_named_by_its_keys(world):
    world.edit("functions/functions.yaml", "timeout: 300", "timeout: never")
    world.edit("functions/functions.yaml", "concurrency: 40", "concurency: 40")
    refused(world, "probe_model.timeout: ", "on_upload.concurency: ", "edit functions/", count=1)


def _line(world, path, text):
    lines = (world.checkout / path).read_text().splitlines()
    return next(number for number, one in enumerate(lines, start=1) if text in one)


def test_placeholders_are_refused(world):
    done = world.run(env="prod")
    assert done.status == 1
    assert "alert_emails[0] is still a placeholder: 'platform@example.com'" in done.error
    assert "edit " in done.error
    assert world.nothing_was_made()


def test_a_permission_that_google_does_not_know_of_a_project_is_no_obstacle(world):
    world.http.unknown = {"artifactregistry.dockerimages.get"}
    world.http.denied = {"run.services.get"}
    refused(world, "run.services.get", "--role=roles/run.admin", count=1)
    asked = {one for chunk in world.http.asked for one in chunk}
    assert asked == {one for group in permissions.read() for one in group.permissions}
    assert max(map(len, world.http.asked)) <= 100


def test_a_lock_that_was_left_behind_is_explained(world):
    assert world.run(STOP_AFTER="state bucket").status == 130
    bucket = f"{world.project}-berth-state"
    lock = {
        "ID": "1",
        "Operation": "OperationTypeApply",
        "Who": "ann@laptop",
        "Created": "2026-11-20T10:00:00Z",
    }
    world.put(bucket, "berth/default.tflock", json.dumps(lock).encode())
    done = world.run()
    assert done.status == 1
    assert "the state is locked since 2026-11-20T10:00:00Z by ann@laptop" in done.error
    assert f"gcloud storage rm gs://{bucket}/berth/default.tflock" in done.error
    assert "tofu apply" not in world.calls()


def test_a_state_bucket_of_somebody_else_is_explained(world):
    world.http.forbidden.add(f"{world.project}-berth-state")
    refused(world, "may not be read", "bucket names are global", count=1)
