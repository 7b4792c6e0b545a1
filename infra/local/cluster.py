"""Kubernetes in the stack: its parts, its manifests, and how reconcile_shard reaches it."""

import base64
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import yaml

from infra import functions
from infra.functions import Function
from infra.local import kubernetes
from infra.local.part import Part, Step
from infra.local.site import NAMESPACE, NODE, Site

# What a function needs to be told when it talks to the cluster.
ENDPOINT, AUTHORITY = "BERTH_CLUSTER_ENDPOINT", "BERTH_CLUSTER_AUTHORITY"


def parts(here: Site) -> Iterator[Part | Step]:
    """The control plane, the step that applies the manifests, and the node agent."""
    assert here.tools.kubernetes is not None
    after = {
        "apiserver": ("etcd",),
        "controller-manager": ("apiserver",),
        "scheduler": ("apiserver",),
    }
    for part in kubernetes.parts(here.tools.kubernetes, here.kube, here.cluster, node=NODE):
        yield replace(part, after=after.get(part.name, ()), restart=True)
    yield Step("manifests", partial(_manifests, here), after=("apiserver",))
    yield _node(here)


def _node(here: Site) -> Part:
    """The node agent; a pod of the serving image is the stand-in, in this Python."""
    state = here.folder.path / "node"
    serving = {
        "command": [sys.executable, "-m", "infra.local.tfserving"],
        "env": {"PYTHONPATH": functions.PYTHONPATH, "TF_CPP_MIN_LOG_LEVEL": "2"},
        "paths": [sys.prefix, sys.base_prefix],
    }
    images = here.folder.path / "images.yaml"
    images.write_text(yaml.safe_dump({"berth/tfserving": serving}))
    return Part(
        name="node",
        argv=(
            *(sys.executable, "-m", "infra.local.node", "--node", NODE),
            *("--kubeconfig", str(here.kube / "node.kubeconfig")),
            *("--buckets", str(here.folder.path / "storage" / "objects")),
            *("--state", str(state), "--images", str(images), "--cidr", here.network),
        ),
        ready=(state / "ready").exists,
        environment={"PYTHONPATH": functions.PYTHONPATH, "PYTHONUNBUFFERED": "1"},
        after=("apiserver",),
        restart=True,
        mend=partial((state / "ready").unlink, missing_ok=True),  # a killed agent's
        grace=30.0,
    )


def environment(here: Site, *, running: bool) -> dict[str, str]:
    """What functions.yaml's placeholders for the cluster stand for; empty where none is running."""
    if not running:
        return {ENDPOINT: "", AUTHORITY: ""}
    authority = (here.kube / "certificates" / "ca.crt").read_bytes()
    return {
        ENDPOINT: f"https://127.0.0.1:{here.cluster.apiserver}",
        AUTHORITY: base64.b64encode(authority).decode(),
    }


def token(here: Site, function: Function) -> dict[str, str]:
    """Where a function that talks to the cluster finds its account's token, as settings."""
    if not _talks_to_cluster(function):
        return {}
    return {"BERTH_CLUSTER_TOKEN_FILE": str(_token(here, function))}


def _manifests(here: Site) -> None:
    kubernetes.bootstrap(here.kube / "kubeconfig")
    for function in filter(_talks_to_cluster, here.table.values()):
        kubernetes.write_token(
            here.kube / "kubeconfig", function.identity, _token(here, function), NAMESPACE
        )


def _talks_to_cluster(function: Function) -> bool:
    return ENDPOINT in function.environment


def _token(here: Site, function: Function) -> Path:
    return here.folder.path / f"{function.identity}.token"
