"""The overlays as a cluster gets them: rendered with example values, and the kinds they need."""

import copy
import functools
import json
import os
import subprocess
from pathlib import Path

import yaml

from berth.domain import workload
from berth.domain.documents import Shard
from berth.domain.workload import Buckets
from infra import manifests
from infra.functions import ROOT
from infra.manifests import schema
from tests.support.node_cluster import until

PROJECT = "example-project"
USER = f"berth-reconcile-shard@{PROJECT}.iam.gserviceaccount.com"
VALUES = {
    "BERTH_PROJECT": PROJECT,
    "BERTH_FUNCTIONS_CIDR": "10.30.0.0/24",
    "BERTH_ROUTER_IMAGE": f"europe-west1-docker.pkg.dev/{PROJECT}/berth/router:1",
}
OVERLAYS = ("local", "dev", "prod", "prometheus-operator")
# Its zip is the one place of the Go proxy that has the CRD; go checks it against sum.golang.org.
OPERATOR = "github.com/prometheus-operator/prometheus-operator@v0.85.0"
SERVICE_MONITORS = "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml"
MANIFESTS = [yaml.safe_load(path.read_text()) for path in sorted(manifests.SHARD.glob("*.yaml"))]
BUCKETS = Buckets("berth", "berth-models", "berth-control")


def render(overlay, folder):
    """An overlay's objects; the component that no overlay has is put upon dev in `folder`."""
    if overlay != "prometheus-operator":
        return manifests.render(overlay, VALUES)
    k8s = os.path.relpath(ROOT / "k8s", folder.resolve())
    parts = ("google-cloud", overlay)
    kustomization = {
        "resources": [f"{k8s}/base"],
        "components": [f"{k8s}/components/{part}" for part in parts],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return manifests.render(folder, VALUES)


def shard(name="shard-0", **fields):
    """A shard's objects as Berth applies them."""
    return workload.render(copy.deepcopy(MANIFESTS), Shard(shard=name, **fields), BUCKETS)


def pod(name="shard-0", **fields):
    """One of its pods, as the Deployment's controller would make it."""
    (deployment,) = [one for one in shard(name, **fields) if one["kind"] == "Deployment"]
    template = copy.deepcopy(deployment["spec"]["template"])
    template["metadata"]["name"] = f"{name}-pod"
    return {"apiVersion": "v1", "kind": "Pod", **template}


def kubectl(kubeconfig, *words, given=None, check=True):
    """Run kubectl; `given` are objects on its standard input."""
    text = None if given is None else yaml.safe_dump_all(given, sort_keys=False)
    command = ("kubectl", "--kubeconfig", str(kubeconfig), *words)
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert not (check and done.returncode), done.stderr
    return done


def apply(kubeconfig, objects, *words):
    """Server-side, every field known; the namespace first. Returns the objects as they are then."""
    how = ("apply", "--server-side", "--force-conflicts", "--field-manager=berth-bootstrap")
    first = [one for one in objects if one["kind"] == "Namespace"]
    kubectl(kubeconfig, *how, "-f", "-", given=first)
    done = kubectl(
        kubeconfig, *how, *words, "--validate=strict", "-o", "json", "-f", "-", given=objects
    )
    return json.loads(done.stdout)["items"]


def crds(kubeconfig):
    """Make the custom kinds known."""
    wanted = [yaml.safe_load(service_monitor_crd().read_text()), pod_monitoring_crd()]
    kubectl(kubeconfig, "apply", "--server-side", "-f", "-", given=wanted)
    for crd in wanted:
        until(lambda name=crd["metadata"]["name"]: _established(kubeconfig, name))


def _established(kubeconfig, name):
    found = json.loads(kubectl(kubeconfig, "get", "crd", name, "-o", "json").stdout)
    conditions = found.get("status", {}).get("conditions") or ()
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)


@functools.cache
def service_monitor_crd():
    """Where the real one is, downloaded once to Go's module cache."""
    done = subprocess.run(
        ("go", "mod", "download", "-json", OPERATOR),
        cwd="/",
        capture_output=True,
        text=True,
        check=True,
    )
    return Path(json.loads(done.stdout)["Dir"]) / SERVICE_MONITORS


def pod_monitoring_crd():
    """Google's is not to be had: one made of the schema that the manifests are checked against."""
    spec = schema.custom()["monitoring.googleapis.com/v1/PodMonitoring"]["properties"]["spec"]
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {
            "openAPIV3Schema": {"type": "object", "properties": {"spec": _structural(spec)}}
        },
    }
    names = {"kind": "PodMonitoring", "plural": "podmonitorings", "singular": "podmonitoring"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "podmonitorings.monitoring.googleapis.com"},
        "spec": {
            "group": "monitoring.googleapis.com",
            "scope": "Namespaced",
            "names": names,
            "versions": [version],
        },
    }


def _structural(found):
    """Without additionalProperties: false, which structural schemas imply and may not say."""
    if isinstance(found, dict):
        return {
            key: _structural(value)
            for key, value in found.items()
            if (key, value) != ("additionalProperties", False)
        }
    return [_structural(one) for one in found] if isinstance(found, list) else found
