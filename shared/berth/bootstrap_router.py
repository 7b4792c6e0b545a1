"""The composition root of a router's sidecar: it runs beside Envoy, not as a function."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from berth import door, settings
from berth.adapters import gcs
from berth.adapters.cluster_tokens import FileToken
from berth.adapters.envoy import FolderEnvoy
from berth.adapters.kubernetes import connect
from berth.adapters.kubernetes_watch import WatchedReplicas
from berth.app.route_fleet import RouteFleet
from berth.domain.door import Site


@dataclass(frozen=True, slots=True)
class Sidecar:
    """A round, and what to wait for between two."""

    round: Callable[[], int]
    wait: Callable[[float], None]


def sidecar() -> Sidecar:
    """Build it; the replicas are followed from now on. Raises MissingSettings, Denied."""
    given = settings.load(settings.RouterSettings)
    replicas = _replicas(given)
    replicas.start()
    client = gcs.client(given.project, anonymous=bool(given.storage_emulator))
    routing = RouteFleet(
        control=gcs.GcsObjectStore(client, given.control_bucket),
        replicas=replicas,
        envoy=FolderEnvoy(Path(given.folder), Path(given.admin)),
        site=_site(given),
        heap_bytes=given.heap_mib * 1024**2,
    )
    return Sidecar(routing.round, replicas.wait)


def _replicas(given: settings.RouterSettings) -> WatchedReplicas:
    authority = base64.b64encode(Path(given.cluster_authority_file).read_bytes()).decode()
    token = FileToken(Path(given.cluster_token_file))
    return WatchedReplicas(given.namespace, connect(given.cluster_endpoint, authority, token))


def _site(given: settings.RouterSettings) -> Site:
    return Site(
        folder=given.folder,
        address=given.address,
        port=given.port,
        admin=given.admin,
        health_port=given.health_port,
        script=door.script(),
    )
