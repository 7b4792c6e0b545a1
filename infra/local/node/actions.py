"""What probes and lifecycle hooks do to a container: grpc, httpGet, tcpSocket, exec."""

import contextlib
import http.client
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from infra.local.node import spec

Json = Mapping[str, Any]
# A connection of its own, tried again at once: the probe's period is the only back-off.
_CHANNEL = (
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 100),
    ("grpc.enable_http_proxy", 0),
)


_KINDS = ("grpc", "httpGet", "tcpSocket", "exec")


def check(container: Json) -> None:
    """Raise spec.ConfigError for a probe or hook that could not be carried out here."""
    hook = container.get("lifecycle", {})
    probes = [container.get(f"{name}Probe") for name in ("startup", "readiness", "liveness")]
    if "postStart" in hook:
        raise spec.ConfigError("the local node knows no postStart hook")
    for handler in (*probes, hook.get("preStop")):
        if handler is None or "sleep" in handler:
            continue
        kind = _kind(handler)
        if kind != "exec":
            spec.port(container, handler[kind]["port"])


def _kind(handler: Json) -> str:
    for name in _KINDS:
        if name in handler:
            return name
    raise spec.ConfigError(f"the local node knows no handler {sorted(handler)}")


@dataclass(frozen=True, slots=True)
class Target:
    """A running container: its address, its spec, and how to run a command inside it."""

    address: str
    container: Json
    execute: Callable[[list[str], float], bool]


class Action:
    """One handler of a probe or hook, ready to be carried out any number of times."""

    def __init__(self, handler: Json, target: Target) -> None:
        """Take a handler that `check` has let through."""
        kind = _kind(handler)
        acts = dict(zip(_KINDS, (self._grpc, self._http, self._tcp, self._exec), strict=True))
        self._act, self._handler, self._target = acts[kind], handler[kind], target
        self._channel: grpc.Channel | None = None

    def succeeds(self, timeout: float) -> bool:
        """Carry it out, in at most `timeout` seconds."""
        return self._act(timeout)

    def close(self) -> None:
        """Let go of connections."""
        if self._channel is not None:
            self._channel.close()

    def _port(self) -> int:
        return spec.port(self._target.container, self._handler["port"])

    def _grpc(self, timeout: float) -> bool:
        if self._channel is None:
            place = f"{self._target.address}:{self._port()}"
            self._channel = grpc.insecure_channel(place, options=_CHANNEL)
        request = health_pb2.HealthCheckRequest(service=self._handler.get("service") or "")
        try:
            answer = health_pb2_grpc.HealthStub(self._channel).Check(request, timeout=timeout)
        except grpc.RpcError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    def _http(self, timeout: float) -> bool:
        host, port = self._handler.get("host") or self._target.address, self._port()
        if self._handler.get("scheme") == "HTTPS":
            trusting = ssl._create_unverified_context()
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, port, timeout=timeout, context=trusting
            )
        else:
            connection = http.client.HTTPConnection(host, port, timeout=timeout)
        headers = {h["name"]: h["value"] for h in self._handler.get("httpHeaders") or ()}
        with contextlib.closing(connection):
            try:
                connection.request("GET", self._handler.get("path", "/"), headers=headers)
                return 200 <= connection.getresponse().status < 400
            except (OSError, http.client.HTTPException):
                return False

    def _tcp(self, timeout: float) -> bool:
        host = self._handler.get("host") or self._target.address
        try:
            socket.create_connection((host, self._port()), timeout).close()
        except OSError:
            return False
        return True

    def _exec(self, timeout: float) -> bool:
        return self._target.execute(list(self._handler["command"]), timeout)
