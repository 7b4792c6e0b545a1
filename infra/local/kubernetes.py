"""The local stack's Kubernetes: its control plane as parts, its manifests, its accounts."""

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import requests

from infra.local import kube_files
from infra.local.kube_api import Api
from infra.local.kube_build import build
from infra.local.part import Part

__all__ = ["Ports", "bootstrap", "build", "parts", "write_token"]

OVERLAY = Path(__file__).parents[2] / "k8s" / "overlays" / "local"
TOKEN_SECONDS = 365 * 24 * 3600
# EndpointSlices refuse loopback addresses, so their controllers could only fail.
CONTROLLERS = (
    "*,-endpoints-controller,-endpointslice-controller,-endpointslice-mirroring-controller"
)


@dataclass(frozen=True, slots=True)
class Ports:
    """Free loopback ports for the control plane."""

    etcd: int
    etcd_peer: int
    apiserver: int
    controller_manager: int
    scheduler: int


def parts(
    binary: Path, folder: Path, ports: Ports, *, node: str = "local-1", hpa_seconds: int = 5
) -> tuple[Part, ...]:
    """Return the control plane's processes in starting order, and write what they need to `folder`.

    `folder/kubeconfig` is the administrator's, `folder/node.kubeconfig` the agent's of `node`;
    the API server writes one line per write to `folder/audit.log`. The autoscaler looks every
    `hpa_seconds`.
    """
    kube_files.write(binary, folder, f"https://127.0.0.1:{ports.apiserver}", node)
    return (
        Part("etcd", _etcd(binary, folder, ports), _etcd_ready(folder, ports.etcd)),
        Part(
            "apiserver",
            _apiserver(binary, folder, ports),
            _ready(folder, ports.apiserver, "readyz"),
        ),
        Part(
            "controller-manager",
            _controller_manager(binary, folder, ports, hpa_seconds),
            _ready(folder, ports.controller_manager),
        ),
        Part("scheduler", _scheduler(binary, folder, ports), _ready(folder, ports.scheduler)),
    )


def bootstrap(kubeconfig: Path, overlay: Path = OVERLAY) -> None:
    """Apply a kustomize folder as `kubeconfig`. Raises RuntimeError with kubectl's complaint."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        raise RuntimeError(
            "kubectl is needed: install kubectl (https://kubernetes.io/docs/tasks/tools)"
        )
    done = subprocess.run(
        [
            *(kubectl, "--kubeconfig", str(kubeconfig), "apply", "-k", str(overlay)),
            *("--server-side", "--force-conflicts", "--field-manager=berth-bootstrap"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"applying {overlay} failed: {done.stderr.strip()}")


def write_token(kubeconfig: Path, account: str, target: Path, namespace: str = "berth") -> Path:
    """Write a service account's token to `target` and return that; it is good for a year.

    Readers see the old token or the new one. Raises kube_api.ApiError.
    """
    api = Api(kubeconfig)
    try:
        answer = api.post(
            f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token",
            {"spec": {"expirationSeconds": TOKEN_SECONDS}},
        )
    finally:
        api.close()
    partial = target.with_suffix(".part")
    partial.touch(mode=0o600)
    partial.write_text(str(answer["status"]["token"]))
    partial.replace(target)
    return target


def _etcd(binary: Path, folder: Path, ports: Ports) -> tuple[str, ...]:
    client, peer = f"https://127.0.0.1:{ports.etcd}", f"https://127.0.0.1:{ports.etcd_peer}"
    keys = folder / "certificates"
    secured = [
        flag
        for prefix in ("", "peer-")
        for flag in (
            f"--{prefix}cert-file={keys}/server.crt",
            f"--{prefix}key-file={keys}/server.key",
            f"--{prefix}trusted-ca-file={keys}/ca.crt",
            f"--{prefix}client-cert-auth",
        )
    ]
    return (
        *(str(binary), "etcd", f"--data-dir={folder}/etcd", "--log-level=warn"),
        *(f"--listen-client-urls={client}", f"--advertise-client-urls={client}"),
        *(f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}"),
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",  # a power cut loses a laptop's stack, and that is all
        *secured,
    )


def _apiserver(binary: Path, folder: Path, ports: Ports) -> tuple[str, ...]:
    keys = folder / "certificates"
    issuer = "https://kubernetes.default.svc"
    return (
        *(str(binary), "apiserver", *_serving(folder, ports.apiserver)),
        *("--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none"),
        f"--etcd-servers=https://127.0.0.1:{ports.etcd}",
        *(f"--etcd-cafile={keys}/ca.crt", f"--etcd-certfile={keys}/etcd-client.crt"),
        f"--etcd-keyfile={keys}/etcd-client.key",
        *("--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction"),
        "--allow-privileged=true",  # as on GKE: it is Pod Security that refuses
        f"--token-auth-file={folder}/tokens.csv",
        *(f"--service-account-issuer={issuer}", f"--service-account-key-file={keys}/accounts.pub"),
        f"--service-account-signing-key-file={keys}/accounts.key",
        "--service-cluster-ip-range=10.0.0.0/16",
        f"--audit-policy-file={folder}/audit-policy.yaml",
        f"--audit-log-path={folder}/audit.log",
        f"--requestheader-client-ca-file={keys}/front-proxy-ca.crt",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={keys}/front-proxy-client.crt",
        f"--proxy-client-key-file={keys}/front-proxy-client.key",
    )


def _controller_manager(
    binary: Path, folder: Path, ports: Ports, hpa_seconds: int
) -> tuple[str, ...]:
    keys = folder / "certificates"
    return (
        *(str(binary), "controller-manager", *_serving(folder, ports.controller_manager)),
        *(f"--kubeconfig={folder}/{kube_files.CONTROLLERS}.kubeconfig", "--leader-elect=false"),
        # each controller acts as an account of its own: the audit log tells them apart
        "--use-service-account-credentials=true",
        f"--service-account-private-key-file={keys}/accounts.key",
        f"--root-ca-file={keys}/ca.crt",
        f"--controllers={CONTROLLERS}",
        *("--kube-api-qps=200", "--kube-api-burst=400"),
        f"--horizontal-pod-autoscaler-sync-period={hpa_seconds}s",
        "--horizontal-pod-autoscaler-initial-readiness-delay=1s",
        "--horizontal-pod-autoscaler-cpu-initialization-period=10s",
    )


def _scheduler(binary: Path, folder: Path, ports: Ports) -> tuple[str, ...]:
    return (
        *(str(binary), "scheduler", *_serving(folder, ports.scheduler)),
        *(f"--kubeconfig={folder}/{kube_files.SCHEDULER}.kubeconfig", "--leader-elect=false"),
        *("--kube-api-qps=200", "--kube-api-burst=400"),
    )


def _serving(folder: Path, port: int) -> tuple[str, ...]:
    keys = folder / "certificates"
    return (
        *("--bind-address=127.0.0.1", f"--secure-port={port}"),
        *(f"--tls-cert-file={keys}/server.crt", f"--tls-private-key-file={keys}/server.key"),
    )


def _ready(folder: Path, port: int, path: str = "healthz") -> Callable[[], bool]:
    return lambda: _answers(f"https://127.0.0.1:{port}/{path}", folder, client=False)


def _etcd_ready(folder: Path, port: int) -> Callable[[], bool]:
    return lambda: _answers(f"https://127.0.0.1:{port}/health", folder, client=True)


def _answers(url: str, folder: Path, *, client: bool) -> bool:
    keys = folder / "certificates"
    identity = (str(keys / "etcd-client.crt"), str(keys / "etcd-client.key")) if client else None
    try:
        answer = requests.get(url, verify=str(keys / "ca.crt"), cert=identity, timeout=2)
    except requests.RequestException:
        return False
    return answer.status_code == 200
