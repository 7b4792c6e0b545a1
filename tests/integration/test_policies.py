"""checkov finds what is wrong, is not silent about what it could not check, and finds nothing in the project."""

import json

import pytest
import yaml

from infra.policies import scan
from infra.policies.__main__ import check
from infra.policies.scan import ScanError

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "open", "namespace": "berth"},
    "spec": {
        "containers": [{"name": "one", "image": "one:1", "securityContext": {"privileged": True}}]
    },
}


def plan(public):
    bucket = {"name": "b", "location": "EU", "public_access_prevention": public}
    resource = {
        "address": "google_storage_bucket.each[0]",
        "mode": "managed",
        "type": "google_storage_bucket",
        "name": "each",
        "index": 0,
        "provider_name": "registry.terraform.io/hashicorp/google",
        "schema_version": 1,
    }
    module = {"resources": [resource | {"values": bucket, "sensitive_values": {}}]}
    actions = {"actions": ["create"], "before": None, "after": bucket, "after_unknown": {}}
    return {
        "format_version": "1.2",
        "terraform_version": "1.10.7",
        "planned_values": {"root_module": module},
        "resource_changes": [resource | {"change": actions}],
        "configuration": {"root_module": {}},
    }


@pytest.fixture
def targets(tmp_path):
    (tmp_path / "plan-dev.json").write_text(json.dumps(plan("inherited")))
    (tmp_path / "pod.yaml").write_text(yaml.safe_dump(POD))
    dockerfile = (
        "FROM a:1\n# checkov:skip=CKV_DOCKER_3:a comment alone accepts nothing\nENTRYPOINT b\n"
    )
    (tmp_path / "Dockerfile").write_text(dockerfile)
    return tmp_path


def test_what_is_deployed_breaks_no_policy_without_a_reason():
    assert check() == []


def test_what_is_wrong_is_found_in_plans_manifests_and_the_image(targets):
    found = {(one.check, one.resource): one.files for one in scan.scan(targets)}
    assert found["CKV_GCP_114", "google_storage_bucket.each"] == ("plan-dev.json",)
    assert found["CKV_K8S_16", "Pod/open"] == ("pod.yaml",)
    assert ("CKV_DOCKER_3", "Dockerfile") in found


def test_a_kind_of_target_that_is_not_there_is_no_success(targets):
    (targets / "plan-dev.json").unlink()
    with pytest.raises(ScanError, match="nothing of terraform_plan"):
        scan.scan(targets)


def test_a_manifest_that_cannot_be_read_is_no_success(targets):
    (targets / "broken.yaml").write_text("apiVersion: v1\nkind: Pod\nmetadata: {name: [\n")
    with pytest.raises(ScanError, match=r"nothing of broken\.yaml"):
        scan.scan(targets)
