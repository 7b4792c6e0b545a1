"""What was observed of a shard, as its status document keeps it.

Nothing here changes while nothing happens: an idle pass writes no status.
"""

from typing import Literal

from berth.domain.canonical import Document

State = Literal["PENDING", "LOADING", "SERVING", "QUARANTINED", "RETIRED"]


class ReplicaStatus(Document):
    """One replica as Kubernetes reports it, and what speaks against its server: kind, colon, what was seen."""

    name: str
    key: str
    address: str
    ready: bool
    started_at: str
    reason: str
    evidence: str = ""


class Told(Document):
    """The config a run of a server was told: its digest, when, and what the server answered.

    An empty digest: the last push did not end in time, or did not arrive. `drifts` counts how often
    it had to be told again what it had taken before.
    """

    digest: str
    at: str
    answer: str = ""
    drifts: int = 0


class Quarantine(Document):
    """A version that ended in error, or the server's process with it.

    `attempts` counts its loads; transient ones are tried again, `alone` where a process ended.
    `suspects` are runs of servers that could not load it while others did; `retried` says that it had
    its fresh round when they were gone.
    """

    reason: str
    transient: bool
    attempts: int
    active: bool = True
    suspects: tuple[str, ...] = ()
    retried: bool = False
    alone: bool = False


class VersionRecord(Document):
    """One version as observed: its state, why, on how many replicas it is AVAILABLE, since when it serves."""

    state: State
    reason: str = ""
    replicas: int = 0
    since: str = ""


class ModelRecord(Document):
    """One servable: what is announced, what is observed, what is quarantined, and since when.

    `said` counts the changes that were published: it tells one from the next of the same kind, and a
    change that has to be published again, because its record was not written, from a new one. `elsewhere`:
    the model moves here or away, and what is told of it is told where it is at home.
    """

    state: State
    reason: str = ""
    since: str = ""
    document: int = 0
    announced: tuple[int, ...] = ()
    versions: dict[int, VersionRecord] = {}
    quarantined: dict[int, Quarantine] = {}
    said: int = 0
    elsewhere: bool = False


class Capacity(Document):
    """Bytes and counts of a shard against its bounds."""

    models: int = 0
    max_models: int = 0
    bytes: int = 0
    bound_bytes: int = 0


class ShardStatus(Document):
    """The whole status document. `deaths` are the ends of processes that were judged; `removed`: the shard
    is, and no object or pod of it is left.
    """

    replicas: tuple[ReplicaStatus, ...] = ()
    told: dict[str, Told] = {}
    models: dict[str, ModelRecord] = {}
    capacity: Capacity = Capacity()
    restart_at: str = ""
    deaths: tuple[str, ...] = ()
    removed: bool = False

    @property
    def unplaced(self) -> tuple[str, ...]:
        """The servables that never served here, because there is no room."""
        return tuple(
            name
            for name, record in self.models.items()
            if record.reason.startswith(FULL) and not record.announced
        )

    def summary(self, shard: str) -> "Summary":
        """Return what a listing of the fleet needs to know."""
        serving = [replica for replica in self.replicas if replica.ready]
        return Summary(
            shard=shard,
            capacity=self.capacity,
            replicas=len(self.replicas),
            ready=len(serving),
            oldest_start=min((r.started_at for r in self.replicas if r.started_at), default=""),
            rollouts=sum(record.state == "LOADING" for record in self.models.values()),
            unplaced=self.unplaced[:SHOWN_UNPLACED],
            removed=self.removed,
            evidence=tuple(sorted({r.evidence.split(":")[0] for r in self.replicas if r.evidence})),
        )


FULL = "shard full"
SHOWN_UNPLACED = 20


class Summary(Document):
    """A shard's status in a few hundred bytes: the metadata of its status document."""

    shard: str
    capacity: Capacity
    replicas: int
    ready: int
    oldest_start: str
    rollouts: int
    unplaced: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    removed: bool = False
