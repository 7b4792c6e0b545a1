"""What the control plane asks of the outside world. Each port has an adapter and a memory twin.

Every read returns everything or raises: unknown is not absent.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from berth.domain.model_events import Outgoing
from berth.domain.observation import Exit as Exit
from berth.domain.observation import Pod as Pod
from berth.domain.observation import VersionStatus as VersionStatus
from berth.domain.observation import Workload as Workload
from berth.domain.probing import ProbeReport, ProbeRequest
from berth.domain.requests import Subject


@dataclass(frozen=True, slots=True)
class ObjectStat:
    """An object without its bytes. `size` in bytes, `crc32c` as Cloud Storage prints it (base64)."""

    name: str
    generation: int
    size: int
    crc32c: str
    updated: datetime
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object with its bytes, of one and the same generation."""

    stat: ObjectStat
    data: bytes


class ObjectStore(Protocol):
    """One bucket. Names are full object names inside it."""

    def get(self, name: str) -> StoredObject | None:
        """Return the newest generation, or None when there is no such object."""
        ...

    def stat(self, name: str) -> ObjectStat | None:
        """Return the newest generation's facts, or None when there is no such object."""
        ...

    def list(
        self, prefix: str, *, limit: int | None = None, start: str = ""
    ) -> Sequence[ObjectStat]:
        """Return every object under a prefix, ordered by name; at most `limit` if given, from the name
        `start` on.
        """
        ...

    def folders(self, prefix: str) -> Sequence[str]:
        """Return the names of the folders directly under `prefix` (which ends in a slash or is "")."""
        ...

    def put(
        self,
        name: str,
        data: bytes,
        *,
        if_generation: int | None,
        metadata: Mapping[str, str] | None = None,
    ) -> int:
        """Write and return the new generation.

        `if_generation` is the generation that must be the newest (0: must not exist); None writes
        in any case. Raises Conflict when it is not.
        """
        ...

    def copy_from(
        self, source_bucket: str, source: str, *, generation: int, name: str
    ) -> ObjectStat:
        """Copy one pinned generation from another bucket. Raises NotFound when it is gone."""
        ...

    def delete(self, name: str) -> None:
        """Delete; an object that is not there is no error. Never used as a compare-and-swap."""
        ...

    def download(self, name: str, *, generation: int, into: Path) -> None:
        """Write one pinned generation to a file. Raises NotFound when it is gone."""
        ...


class Publisher(Protocol):
    """Pub/Sub."""

    def publish(self, topic: str, data: bytes, attributes: Mapping[str, str] | None = None) -> None:
        """Publish one message and wait until it is stored. `topic` is a full resource name."""
        ...

    def publish_all(self, topic: str, messages: Iterable[bytes]) -> None:
        """Publish many messages and wait until all are stored."""
        ...


class Workloads(Protocol):
    """Kubernetes, one namespace."""

    def observe(self, shard: str) -> Workload:
        """Return the shard's Deployment, Service, HPA, PodDisruptionBudget and pods."""
        ...

    def pods(self, shard: str) -> tuple[Pod, ...]:
        """Return the shard's pods, ordered by name."""
        ...

    def usage(self, shard: str) -> Mapping[str, int]:
        """Return what the server containers of the shard's pods hold in memory, in bytes by pod name.

        Figures lag, by a minute or so; a pod may have none yet. Raises Unavailable, also where nothing
        serves such figures.
        """
        ...

    def apply(self, manifest: Mapping[str, Any]) -> None:
        """Server-side apply as field manager `berth`; the manifest's resourceVersion, if given, must match."""
        ...

    def delete(self, kind: str, shard: str, *, uid: str) -> None:
        """Delete one of a shard's objects, and with a Deployment its pods; one that is gone or another is
        no error.
        """
        ...

    def delete_pod(self, name: str, *, uid: str) -> None:
        """Delete one pod, politely; a pod that is gone or another is no error."""
        ...


class ModelServers(Protocol):
    """ModelService of each pod."""

    def statuses(
        self, address: str, names: Sequence[str], *, timeout: float
    ) -> Mapping[str, Mapping[int, VersionStatus]]:
        """Return what one server says of each name; a name it never saw maps to an empty mapping.

        `timeout` in seconds for all together. Raises Unavailable.
        """
        ...

    def reload(self, address: str, config: str, *, timeout: float) -> str:
        """Push one ModelServerConfig (text format); wait for its end, at most `timeout` seconds.

        Returns "" when the server said OK, else what it said (the config was applied all the same,
        TF Serving keeps what it could load). Raises Unavailable when the end was not seen.
        """
        ...


class Probe(Protocol):
    """The sandbox that judges a SavedModel."""

    def probe(self, request: ProbeRequest) -> ProbeReport:
        """Judge one version. Raises Unavailable when there is no judgement."""
        ...


class Clock(Protocol):
    """Time, so that tests own it."""

    def now(self) -> datetime:
        """Return the time, in UTC."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait between two looks at a condition."""
        ...


class Outbox(Protocol):
    """What Berth says: outcomes to the outside, requests to its own functions."""

    def announce(self, *events: Outgoing) -> None:
        """Publish outcomes on `model-events`; returns when they are stored."""
        ...

    def request_admission(self, *subjects: Subject) -> None:
        """Ask admit_model to judge; returns when the requests are stored."""
        ...

    def request_shards(self, *shards: str) -> None:
        """Ask reconcile_shard for a pass over each; returns when the requests are stored."""
        ...


class Replicas(Protocol):
    """Where the shards' replicas are, kept up to date by a watch."""

    def ready(self) -> Mapping[str, tuple[str, ...]]:
        """Return the addresses of the replicas that take traffic, by shard, each in order.

        What was known last, however old. Raises Unavailable until everything was read once.
        """
        ...

    def wait(self, seconds: float) -> None:
        """Return as soon as `ready` may differ from what it returned last, at most after `seconds`."""
        ...


class Envoy(Protocol):
    """The door beside us: the files that it reads, and what it knows."""

    def files(self) -> Mapping[str, bytes]:
        """Return all files by name, with slashes for folders."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Put a file in place whole: a reader sees the old or the new one."""
        ...

    def remove(self, name: str) -> None:
        """Take a file away; one that is not there is no error."""
        ...

    def clusters(self) -> Set[str]:
        """Return the names of the clusters that requests can be sent to. Raises Unavailable."""
        ...
