"""What a deployment asks of kubectl, with the real kubectl on a real API server."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from infra import manifests
from infra.deploy import cluster, shell
from infra.deploy.cluster import Cluster
from infra.deploy.site import Google, Site
from tests.support import emulators

# Only GKE has its CRD.
_NOT_HERE = ("PodMonitoring",)


@pytest.fixture(scope="session")
def kubeconfig(tmp_path_factory):
    with emulators.cluster(tmp_path_factory.mktemp("cluster")) as path:
        yield path


@pytest.fixture
def site(tmp_path, kubeconfig, monkeypatch):
    """A site whose gcloud knows the test's cluster."""
    folder = tmp_path / "site"
    folder.mkdir()
    gcloud = tmp_path / "gcloud"
    gcloud.write_text(
        f"#!{sys.executable}\nimport os, shutil, sys\n"
        "if 'get-credentials' in sys.argv:\n"
        f"    shutil.copy({str(kubeconfig)!r}, os.environ['KUBECONFIG'])\n"
        "else:\n    print('berth')\n"
    )
    gcloud.chmod(0o755)
    kubectl = shutil.which("kubectl")
    (tmp_path / "kubectl").symlink_to(kubectl)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    variables = {"region": "europe-west1", "functions_cidr": "10.10.8.0/24"}
    return Site("p-berth", "1", "dev", variables, Google("p-berth"), Path(folder))


def test_everything_is_applied_once_and_only_what_changed_again(site):
    wanted = [one for one in cluster.objects(site) if one["kind"] not in _NOT_HERE]
    assert len(wanted) > 10
    there = Cluster(site)
    assert there.connect()
    every = [cluster.name(one) for one in wanted]
    assert there.changes(wanted) == every
    assert there.apply(wanted) == every
    assert there.changes(wanted) == []
    assert there.apply(wanted) == []
    by_hand = json.dumps({"data": {"monitoring.config": "nothing"}})
    kubectl = ("kubectl", "--namespace=berth", f"--kubeconfig={site.kubeconfig}")
    shell.run((*kubectl, "patch", "configmap", "tensorflow-serving", "--patch", by_hand))
    shell.run((*kubectl, "delete", "networkpolicy", "default-deny"))
    assert sorted(there.changes(wanted)) == [
        "networking.k8s.io.v1.NetworkPolicy.berth.default-deny",
        "v1.ConfigMap.berth.tensorflow-serving",
    ]
    assert len(there.apply(wanted)) == 2
    assert there.changes(wanted) == []
    held = shell.run((*kubectl, "get", "configmap", "tensorflow-serving", "-o", "json")).stdout
    assert "prometheus_config" in json.loads(held)["data"]["monitoring.config"]


def test_an_object_that_the_api_server_refuses_is_an_error_that_says_why(site):
    wanted = [one for one in manifests.render("local", {}) if one["kind"] == "Namespace"]
    broken = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "Not A Name", "namespace": "berth"},
    }
    there = Cluster(site)
    there.connect()
    with pytest.raises(shell.CommandFailed, match="Invalid value"):
        there.apply([*wanted, broken])
