"""What a pass over one shard saw: everything, or the pass raised."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from berth.domain import canonical, serving_config
from berth.domain.documents import Projection, Shard
from berth.domain.routing import StoredRoutes
from berth.domain.shard_status import Quarantine, ShardStatus, Told

AVAILABLE = "AVAILABLE"
CREATING = ("", "ContainerCreating", "PodInitializing")
# A busy server may take as long to let go of what it was told to: it takes 10 steps a second.
DRIFT_GRACE = timedelta(seconds=120)
START_TOLD = timedelta(seconds=10)
END = "END"


@dataclass(frozen=True, slots=True)
class Exit:
    """How the run before a container's restart ended: its exit code, Kubernetes' word, and when (UTC)."""

    code: int
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Pod:
    """One replica as Kubernetes reports it. `restarts` counts the server container's restarts.

    `exit` tells of the run that ended last; None where the container never restarted.
    """

    name: str
    uid: str
    address: str
    ready: bool
    terminating: bool
    restarts: int
    started_at: datetime | None
    reason: str = ""
    exit: Exit | None = None

    @property
    def key(self) -> str:
        """Identity of one run of the server process: what it was told dies with it."""
        return f"{self.uid}/{self.restarts}"

    @property
    def ended_key(self) -> str:
        """The run that `exit` tells of: the one before this, or this one until it begins anew."""
        return f"{self.uid}/{self.restarts - 1}" if self.started_at else self.key

    @property
    def serving(self) -> bool:
        """Whether traffic may reach it."""
        return self.ready and not self.terminating and bool(self.address)


@dataclass(frozen=True, slots=True)
class Workload:
    """The live objects of one shard by kind (None where absent) and its pods, ordered by name."""

    objects: Mapping[str, Mapping[str, Any] | None]
    pods: tuple[Pod, ...]


@dataclass(frozen=True, slots=True)
class VersionStatus:
    """One version on one server. `state` is TF Serving's word; `code` and `message` say why it ended."""

    state: str
    code: int = 0
    message: str = ""


ServerReport = Mapping[str, Mapping[int, VersionStatus]]


@dataclass(frozen=True)
class StoredConfig:
    """A serving config as stored, with its concurrency token."""

    text: str
    generation: int
    updated: datetime
    entries: Mapping[str, serving_config.Entry]

    @cached_property
    def digest(self) -> str:
        """The digest of its text."""
        return canonical.digest(self.text)


@dataclass(frozen=True)
class Observation:
    """One look at a shard. `reports` maps a serving pod's key to what its server says.

    A serving pod without a report did not answer: nothing is concluded from its silence. `usage` is
    what a run holds in memory, in bytes by its key, where that is known.
    """

    now: datetime
    shard: Shard
    projections: Mapping[str, Projection]
    boot: StoredConfig | None
    live: StoredConfig | None
    status: ShardStatus
    status_generation: int
    workload: Workload
    reports: Mapping[str, ServerReport]
    told: Mapping[str, Told] = field(default_factory=dict)
    usage: Mapping[str, int] = field(default_factory=dict)
    routes: StoredRoutes | None = None

    @cached_property
    def serving(self) -> tuple[Pod, ...]:
        """The replicas that take traffic."""
        return tuple(pod for pod in self.workload.pods if pod.serving)

    @property
    def quorum(self) -> bool:
        """Whether enough replicas serve, and all of them answered: half of the minimum, never none."""
        enough = max(1, math.ceil(self.shard.replicas_min / 2))
        return len(self.serving) >= enough and all(p.key in self.reports for p in self.serving)

    @property
    def whole(self) -> bool:
        """Whether no replica is missing: as many as the minimum serve, and none is on its way."""
        alive = [pod for pod in self.workload.pods if not pod.terminating]
        return len(self.serving) >= self.shard.replicas_min and len(alive) == len(self.serving)

    def quarantined(self, name: str) -> Mapping[int, Quarantine]:
        """What is recorded of a servable's versions that ended in error."""
        record = self.status.models.get(name)
        return record.quarantined if record else {}

    @cached_property
    def unproven(self) -> tuple[tuple[str, int], ...]:
        """(servable, version) of what the live config names and the boot config does not."""
        booted = self.boot.entries if self.boot else {}
        return tuple(
            (name, number)
            for name, entry in sorted((self.live.entries if self.live else {}).items())
            for number in entry.versions
            if name not in booted or number not in booted[name].versions
        )

    @cached_property
    def proven(self) -> StoredConfig | None:
        """The live config without what is unproven still: what the others are told while the pilot loads.

        Proven is what a replica that runs the live config has AVAILABLE.
        """
        if self.live is None:
            return None
        informed = [pod for pod in self.serving if self.informed(pod)]
        without = {key for key in self.unproven if not self._has(key, informed)}
        entries = {}
        for name, entry in self.live.entries.items():
            left = tuple(n for n in entry.versions if (name, n) not in without)
            if left:
                entries[name] = serving_config.entry(entry.base_path, left)
        return replace(self.live, text=serving_config.render(entries), entries=entries)

    def informed(self, pod: Pod) -> bool:
        """Whether a replica runs the live config: it was told so, or it booted with the same text."""
        return self.live is not None and self._runs(pod, self.live)

    def running(self, pod: Pod) -> Mapping[str, serving_config.Entry] | None:
        """What a replica was told, where that is the live config or what is proven of it; else None."""
        if self.live is None or self.proven is None:
            return None
        if self._runs(pod, self.live):
            return self.live.entries
        return self.proven.entries if self._runs(pod, self.proven) else None

    def _runs(self, pod: Pod, config: StoredConfig) -> bool:
        told = self.told.get(pod.key)
        if told is not None:
            return told.digest == config.digest
        return self.boot is not None and self.boot.text == config.text and self.booted_after(pod)

    def _has(self, key: tuple[str, int], pods: Sequence[Pod]) -> bool:
        found = (self.reports.get(pod.key, {}).get(key[0], {}).get(key[1]) for pod in pods)
        return any(status is not None and status.state == AVAILABLE for status in found)

    def drifted(self, pod: Pod) -> bool:
        """Whether a replica runs another config than it was told: it still serves what the live config
        does not name, or let go of what it names, long after it was told.

        A writer that stood still and acted late can take it back; what it was told does not show that.
        """
        report, told = self.reports.get(pod.key, {}), self.told.get(pod.key)
        entries = self.running(pod)
        since = datetime.fromisoformat(told.at) if told else pod.started_at
        if entries is None or since is None or self.now - since < DRIFT_GRACE:
            return False
        return any(
            _strays(entries[name].versions if name in entries else (), said)
            for name, said in report.items()
        )

    def booted_after(self, pod: Pod) -> bool:
        """Whether a server started after the boot config was written (its clock counts whole seconds)."""
        return bool(self.boot and pod.started_at and pod.started_at > self.boot.updated)

    def stale_starts(self, patience: timedelta) -> tuple[Pod, ...]:
        """Replicas that may still become ready with an older boot config than the one stored.

        One whose start Kubernetes has not told yet counts for as long as telling may take.
        """
        if self.boot is None:
            return ()
        age = self.now - self.boot.updated
        return tuple(
            pod
            for pod in self.workload.pods
            if not pod.serving and not pod.terminating and age < patience and self._stale(pod, age)
        )

    def _stale(self, pod: Pod, age: timedelta) -> bool:
        if pod.started_at is not None:
            return not self.booted_after(pod)
        return pod.reason in CREATING and age < START_TOLD


def _strays(named: Sequence[int], said: Mapping[int, VersionStatus]) -> bool:
    serving = {number for number, status in said.items() if status.state == AVAILABLE}
    let_go = {number for number, status in said.items() if status.state == END and not status.code}
    return bool(serving - set(named)) or bool(let_go & set(named))
