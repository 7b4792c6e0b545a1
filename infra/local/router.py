"""The door in the stack: one router, as two processes that share a folder, at one address.

REST and gRPC at `BERTH_ROUTER_URL`. On a cluster it is a pod of two containers (k8s/base/router.yaml).
"""

import sys
from collections.abc import Iterator
from functools import partial

from infra import functions
from infra.local import http, kubernetes
from infra.local.part import Part, Step
from infra.local.site import NAMESPACE, PROJECT, Site

ACCOUNT = "berth-router"
HOST = "127.0.0.1"


def parts(here: Site, control_bucket: str) -> Iterator[Part | Step]:
    """Its account's token, the sidecar, and Envoy once the sidecar has written its files."""
    yield Step("router-token", partial(_token, here), after=("manifests",))
    yield _sidecar(here, control_bucket)
    yield _envoy(here)


def _sidecar(here: Site, control_bucket: str) -> Part:
    folder = here.folder.path / "door"
    return Part(
        name="router",
        argv=(sys.executable, "-m", "berth.router"),
        ready=(folder / "files" / "bootstrap.json").exists,
        environment={
            "PYTHONPATH": functions.PYTHONPATH,
            "PYTHONUNBUFFERED": "1",
            "GOOGLE_CLOUD_PROJECT": PROJECT,
            "STORAGE_EMULATOR_HOST": here.storage_url,
            "BERTH_CONTROL_BUCKET": control_bucket,
            "BERTH_NAMESPACE": NAMESPACE,
            "BERTH_CLUSTER_ENDPOINT": f"https://127.0.0.1:{here.cluster.apiserver}",
            "BERTH_CLUSTER_AUTHORITY_FILE": str(here.kube / "certificates" / "ca.crt"),
            "BERTH_CLUSTER_TOKEN_FILE": str(here.folder.path / f"{ACCOUNT}.token"),
            "BERTH_DOOR_FOLDER": str(folder / "files"),
            "BERTH_DOOR_ADMIN": str(folder / "admin.sock"),
            "BERTH_DOOR_ADDRESS": HOST,
            "BERTH_DOOR_PORT": str(here.router_port),
            "BERTH_DOOR_HEALTH_PORT": str(here.router_health_port),
            "BERTH_DOOR_HEAP_MIB": "256",
        },
        after=("router-token", "buckets"),
        restart=True,
    )


def _envoy(here: Site) -> Part:
    assert here.tools.envoy is not None
    folder = here.folder.path / "door"
    return Part(
        name="envoy",
        argv=(
            *(str(here.tools.envoy), "-c", str(folder / "files" / "bootstrap.json")),
            *("--disable-hot-restart", "--concurrency", "2", "-l", "warning"),
        ),
        ready=partial(http.answers, f"http://{HOST}:{here.router_health_port}/ready"),
        after=("router",),
        restart=True,
        mend=partial((folder / "admin.sock").unlink, missing_ok=True),
    )


def _token(here: Site) -> None:
    target = here.folder.path / f"{ACCOUNT}.token"
    kubernetes.write_token(here.kube / "kubeconfig", ACCOUNT, target, NAMESPACE)
