"""Makes the node known: the Node object with its capacity, and the Lease that says it lives."""

import logging
import platform
import threading
from datetime import UTC, datetime

import requests

from infra.local.kube_api import MERGE, Api, ApiError, Json
from infra.local.node.kit import now

LOG = logging.getLogger(__name__)
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
RENEW_SECONDS = 10
LEASE_SECONDS = 40


def register(api: Api, node: str, capacity: dict[str, str]) -> None:
    """Create or refresh the Node. `capacity` maps cpu, memory and pods to quantities."""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    labels = {
        "kubernetes.io/hostname": node,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": machine,
        # servers run on the nodes of this pool; see k8s/shard/deployment.yaml
        "berth.dev/pool": "serving",
    }
    body: Json = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": node, "labels": labels}}
    try:
        api.post("/api/v1/nodes", body)
    except ApiError as error:
        if error.status != 409:
            raise
        api.patch(f"/api/v1/nodes/{node}", {"metadata": {"labels": labels}})
    api.patch(f"/api/v1/nodes/{node}/status", {"status": _status(node, capacity)})


def renew(api: Api, node: str, ended: threading.Event) -> None:
    """Renew the Lease until `ended`."""
    while True:
        try:
            _renew_once(api, node)
        except (ApiError, requests.RequestException) as error:
            LOG.warning("the node's lease was not renewed: %s", error)
        if ended.wait(RENEW_SECONDS):
            return


def _renew_once(api: Api, node: str) -> None:
    renewed = {
        "holderIdentity": node,
        "leaseDurationSeconds": LEASE_SECONDS,
        "renewTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }
    try:
        api.patch(f"{LEASES}/{node}", {"spec": renewed}, MERGE)
    except ApiError as error:
        if error.status != 404:
            raise
        body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "spec": renewed}
        api.post(LEASES, {**body, "metadata": {"name": node}})


def _status(node: str, capacity: dict[str, str]) -> Json:
    at = now()
    conditions = [
        {
            "type": kind,
            "status": str(kind == "Ready"),
            "reason": "BerthNode",
            "lastHeartbeatTime": at,
            "lastTransitionTime": at,
        }
        for kind in ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")
    ]
    return {
        "capacity": capacity,
        "allocatable": capacity,
        "conditions": conditions,
        "addresses": [
            {"type": "InternalIP", "address": "127.0.0.1"},
            {"type": "Hostname", "address": node},
        ],
    }
