"""Overlays that an operator broke are named by file and line; what a deployment cannot fill, it names."""

import os
import shutil
import subprocess
import sys
from functools import partial

import pytest

from infra import manifests
from infra.functions import PYTHONPATH, ROOT
from tests.support.overlays import VALUES

BASE, DEV = "base/kustomization.yaml", "overlays/dev/kustomization.yaml"
QUOTA, POLICY = "overlays/dev/quota.yaml", "base/network-policies.yaml"

# A name, the file, what is there, what the operator wrote, what is said, where, and what stands in that line.
BROKEN = [
    ("field", DEV, "patches:", "patchs:", "no such field", DEV, "patchs"),
    ("resource", DEV, "../../base", "../../bass", "../../bass does not exist", DEV, "bass"),
    ("component", DEV, "ents/managed-", "ents/mangled-", "does not exist", DEV, "mangled"),
    ("patch", DEV, "quota.yaml", "quotas.yaml", "quotas.yaml does not exist", DEV, "quotas"),
    ("unlisted", BASE, "  - network-policies.yaml\n", "", "has no effect", POLICY, "Nothing in"),
    ("patched field", QUOTA, "  hard:", "  hart:", "no such field", QUOTA, "hart"),
    ("target", QUOTA, "  name: berth\n", "  name: other\n", "no matches", DEV, "A small"),
    ("name", QUOTA, '"50"', '"${BERTH_PODS}"', "nothing fills BERTH_PODS", DEV, "A small"),
    ("open", QUOTA, '"50"', '"${BERTH_PROJECT"', "nothing fills ${BERTH", DEV, "A small"),
    ("yaml", POLICY, "policyTypes: [Ingress, Egress]", "policyTypes: [Ingress", "no YAML", POLICY, ""),
    ("type", POLICY, "          port: 443", "          port: [443]", "", POLICY, "443"),
    ("monitoring", "components/managed-prometheus/pod-monitoring.yaml", "interval: 30s", "interval: 30", "30 is not of type", "components/managed-prometheus/pod-monitoring.yaml", "interval"),  # noqa: E501
    ("priority", "base/priority-class.yaml", "name: berth-serving", "name: berth-servers", "has no PriorityClass", "shard/deployment.yaml", "priorityClassName"),  # noqa: E501
    ("account", "base/accounts.yaml", "name: berth-serving", "name: berth", "has no ServiceAccount", "shard/deployment.yaml", "serviceAccountName"),  # noqa: E501
]  # fmt: skip


@pytest.fixture
def k8s(tmp_path):
    return shutil.copytree(ROOT / "k8s", tmp_path / "k8s")


@pytest.mark.parametrize(
    ("name", "old", "new", "text", "where", "at"),
    [c[1:] for c in BROKEN],
    ids=[c[0] for c in BROKEN],
)
def test_a_broken_overlay_is_named_by_file_and_line(k8s, name, old, new, text, where, at):
    path = k8s / name
    before = path.read_text()
    assert before.count(old) == 1, old
    path.write_text(before.replace(old, new))
    found = [one for one in manifests.check(k8s) if one.path == k8s / where]
    assert found
    assert text in found[0].text
    assert at in found[0].path.read_text().splitlines()[found[0].line - 1]


def test_the_command_names_what_is_wrong_and_fails(k8s):
    command = (sys.executable, "-m", "infra.manifests", "check", "--folder", str(k8s))
    environment = {**os.environ, "PYTHONPATH": PYTHONPATH}
    run = partial(subprocess.run, command, env=environment, capture_output=True, text=True)
    fine = run(check=False)
    assert (fine.returncode, fine.stdout, fine.stderr) == (0, "", "")
    (k8s / "shard" / "pdb.yaml").unlink()
    wrong = run(check=False)
    assert wrong.returncode == 1
    assert "no PodDisruptionBudget here" in wrong.stdout


def test_every_name_without_a_value_is_named():
    with pytest.raises(manifests.ManifestError, match="BERTH_FUNCTIONS_CIDR, BERTH_PROJECT"):
        manifests.render("prod", {})
    with pytest.raises(manifests.ManifestError, match=r"BERTH_PROJECT$"):
        manifests.render("prod", {**VALUES, "BERTH_PROJECT": ""})


def test_a_value_lands_where_it_belongs_and_nowhere_else():
    objects = manifests.render("prod", VALUES)
    roles = {one["metadata"]["name"]: one for one in objects if one["kind"] == "RoleBinding"}
    binding = roles["berth-reconcile-shard"]
    assert binding["subjects"] == [
        {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "User",
            "name": "berth-reconcile-shard@example-project.iam.gserviceaccount.com",
        }
    ]
    assert "${" not in str(objects)


def test_without_kubectl_it_says_what_to_install(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(manifests.ManifestError, match="install kubectl"):
        manifests.render("local", {})


def test_an_overlay_that_is_not_there_is_named():
    with pytest.raises(manifests.ManifestError, match="staging"):
        manifests.render("staging", VALUES)
