"""metrics.k8s.io over HTTPS on loopback: figures of this node's pods, for the API server alone."""

import json
import logging
import ssl
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from infra.local.kube_api import Api, Json
from infra.local.node import selectors
from infra.local.node.kit import now
from infra.local.node.pod import Pod
from infra.local.node.usage import Rate, Rates, Usage

LOG = logging.getLogger(__name__)
GROUP, VERSION = "metrics.k8s.io", "v1beta1"
BASE = f"/apis/{GROUP}/{VERSION}"
SERVICE = "berth-node-metrics"


class Figures:
    """Answers the API's paths from the pods of an agent."""

    def __init__(self, node: str, pods: Callable[[], Sequence[Pod]]) -> None:
        """`pods` returns the pods there are."""
        self._node, self._pods = node, pods
        self._rates = Rates()

    def answer(self, path: str, selector: str) -> Json | None:
        """Return the object at a path, or None. Raises ValueError for what is no selector."""
        if path == f"/apis/{GROUP}":
            return _group()
        if path == BASE:
            return _resources()
        match path.removeprefix(BASE).strip("/").split("/"):
            case ["pods"]:
                return _list("PodMetrics", self._of_pods("", selector))
            case ["namespaces", namespace, "pods"]:
                return _list("PodMetrics", self._of_pods(namespace, selector))
            case ["namespaces", namespace, "pods", name]:
                found = self._of_pods(namespace, "")
                return next((each for each in found if each["metadata"]["name"] == name), None)
            case ["nodes"]:
                return _list("NodeMetrics", [self._of_node()])
            case ["nodes", self._node]:
                return self._of_node()
        return None

    def _of_pods(self, namespace: str, selector: str) -> list[Json]:
        result, alive = [], set()
        for pod in self._pods():
            used = [(each.seen.name, each.used()) for each in pod.containers]
            figures = [(name, one, self._rates.rate(one)) for name, one in used if one]
            alive |= {one.identity for _, one, _ in figures}
            meta = pod.pod["metadata"]
            inside = namespace in {"", meta["namespace"]}
            if figures and inside and selectors.matches(selector, meta.get("labels", {})):
                result.append(_pod_metrics(meta, figures))
        self._rates.forget(alive)
        return result

    def _of_node(self) -> Json:
        used = [one for pod in self._pods() for each in pod.containers if (one := each.used())]
        rates = [self._rates.rate(one) for one in used]
        cpus, memory = sum(rate.cpus for rate in rates), sum(one.memory for one in used)
        window = max((rate.window for rate in rates), default=1.0)
        return _metrics("NodeMetrics", {"name": self._node}, window, usage=_usage(cpus, memory))


def serve(
    figures: Figures, listen: tuple[str, int], certificates: Path
) -> tuple[ThreadingHTTPServer, int]:
    """Return a server that is ready to serve_forever, and its port.

    `certificates` is the control plane's folder: only the API server's own certificate may call.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            selector = parse_qs(url.query).get("labelSelector", [""])[0]
            try:
                found = figures.answer(url.path, selector)
            except ValueError as error:
                self._reply(400, {"kind": "Status", "status": "Failure", "message": str(error)})
                return
            self._reply(404 if found is None else 200, found or {"kind": "Status", "code": 404})

        def log_message(self, format: str, *args: object) -> None:
            LOG.debug(format, *args)

        def _reply(self, status: int, body: Json) -> None:
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

    server = ThreadingHTTPServer(listen, Handler)
    # a handshake in accept() would let one silent client stop all others
    server.socket = _context(certificates).wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    return server, server.server_port


def _context(certificates: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.crt", certificates / "server.key")
    context.load_verify_locations(certificates / "front-proxy-ca.crt")
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def announce(api: Api, port: int, authority: bytes) -> None:
    """Tell the API server where the figures are. `authority` is the CA's certificate, base64."""
    metadata = {"name": SERVICE, "namespace": "kube-system"}
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {"type": "ExternalName", "externalName": "localhost", "ports": [{"port": port}]},
    }
    api.apply(f"/api/v1/namespaces/kube-system/services/{SERVICE}", service, "berth-node")
    name = f"{VERSION}.{GROUP}"
    registration = {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": name},
        "spec": {
            "group": GROUP,
            "version": VERSION,
            "service": {**metadata, "port": port},
            "caBundle": authority.decode(),
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
        },
    }
    api.apply(f"/apis/apiregistration.k8s.io/v1/apiservices/{name}", registration, "berth-node")


def _usage(cpus: float, memory: int) -> Json:
    return {"cpu": f"{round(cpus * 1e9)}n", "memory": f"{memory // 1024}Ki"}


def _pod_metrics(meta: Json, figures: Sequence[tuple[str, Usage, Rate]]) -> Json:
    containers = [
        {"name": name, "usage": _usage(rate.cpus, used.memory)} for name, used, rate in figures
    ]
    named: Json = {str(key): meta[key] for key in ("name", "namespace", "labels") if key in meta}
    window = max(rate.window for _, _, rate in figures)
    return _metrics("PodMetrics", named, window, containers=containers)


def _metrics(kind: str, metadata: Json, window: float, **rest: object) -> Json:
    at = now()
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": kind,
        "metadata": {**metadata, "creationTimestamp": at},
        "timestamp": at,
        "window": f"{window:.3f}s",
        **rest,
    }


def _list(kind: str, items: list[Json]) -> Json:
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": f"{kind}List",
        "metadata": {},
        "items": items,
    }


def _group() -> Json:
    version = {"groupVersion": f"{GROUP}/{VERSION}", "version": VERSION}
    return {
        "apiVersion": "v1",
        "kind": "APIGroup",
        "name": GROUP,
        "versions": [version],
        "preferredVersion": version,
    }


def _resources() -> Json:
    def resource(name: str, kind: str, namespaced: bool) -> Json:
        verbs = ["get", "list"]
        return {
            "name": name,
            "singularName": "",
            "namespaced": namespaced,
            "kind": kind,
            "verbs": verbs,
        }

    return {
        "apiVersion": "v1",
        "kind": "APIResourceList",
        "groupVersion": f"{GROUP}/{VERSION}",
        "resources": [
            resource("nodes", "NodeMetrics", False),
            resource("pods", "PodMetrics", True),
        ],
    }
