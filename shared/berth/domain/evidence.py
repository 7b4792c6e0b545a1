"""Evidence against one run of a server that a restart mends: memory, drift, a version it alone cannot load.

Found once, it stays with the run: its words never change, and it goes when the run is gone. A run
that does not take its config at all is no matter of these: its shard's own pass replaces it.
"""

from collections.abc import Mapping

from berth.domain import placement
from berth.domain.documents import Footprint
from berth.domain.observation import AVAILABLE, END, Observation, Pod, VersionStatus
from berth.domain.shard_status import ModelRecord, Quarantine

MIB = 1024**2
# Memory is not returned after an unload: a server keeps its high-water mark, and a change of version
# holds both for a while. Far above is what neither explains.
MEMORY_FACTOR = 2
MEMORY_SLACK = 256 * MIB
# Near the container's limit a planned restart is better than the kernel's, if it can free enough.
NEAR_LIMIT = 0.9
WORTH_WHILE = 1.25
DRIFTS = 2
MAX_ATTEMPTS = 3


def found(seen: Observation, records: Mapping[str, ModelRecord]) -> dict[str, str]:
    """Return the evidence by the key of the run: a kind, a colon, and what was seen."""
    known = {replica.key: replica.evidence for replica in seen.status.replicas}
    alive = (pod for pod in seen.workload.pods if not pod.terminating)
    against = {p.key: known.get(p.key) or _against(p, seen, records) for p in alive}
    return {key: text for key, text in against.items() if text}


def _against(pod: Pod, seen: Observation, records: Mapping[str, ModelRecord]) -> str:
    told = seen.told.get(pod.key)
    if told is not None and told.drifts >= DRIFTS:
        return "drifted: it ran another config than it was told, and did so again"
    for name, record in sorted(records.items()):
        for number, held in sorted(record.quarantined.items()):
            if held.active and pod.key in held.suspects:
                return f"stuck: {name} version {number} ends in error here and loads elsewhere"
    return _memory(pod, seen, records)


def _memory(pod: Pod, seen: Observation, records: Mapping[str, ModelRecord]) -> str:
    """Judge only a quiet shard, and a run whose models are all known."""
    used, needed = seen.usage.get(pod.key), needed_bytes(seen)
    quiet = seen.informed(pod) and all(record.state != "LOADING" for record in records.values())
    if (
        used is None
        or needed is None
        or not quiet
        or used <= bound(needed, seen.shard.memory_bytes)
    ):
        return ""
    return f"memory: {used // MIB} MiB held, its models need {needed // MIB} MiB"


def needed_bytes(seen: Observation) -> int | None:
    """What the live config's versions need together; None when the size of one is not known."""
    footprints: list[Footprint] = []
    for name, entry in (seen.live.entries if seen.live else {}).items():
        projection = seen.projections.get(name)
        for number in entry.versions:
            if projection is None or number not in projection.versions:
                return None
            footprints.append(projection.versions[number])
    return placement.needed_bytes(footprints)


def bound(needed: int, limit: int) -> int:
    """What a server may hold whose models need `needed` bytes, in a container with a limit."""
    near = max(int(NEAR_LIMIT * limit), int(WORTH_WHILE * needed))
    return min(MEMORY_FACTOR * needed + MEMORY_SLACK, near)


def weighed(seen: Observation, records: Mapping[str, ModelRecord]) -> dict[str, ModelRecord]:
    """Return the records with suspects named, and with a fresh round where the suspects are gone."""
    return {
        name: record.model_copy(
            update={
                "quarantined": {
                    number: _weighed(name, number, held, seen)
                    for number, held in record.quarantined.items()
                }
            }
        )
        for name, record in records.items()
    }


def _weighed(name: str, number: int, held: Quarantine, seen: Observation) -> Quarantine:
    """A version that one replica alone could not load is tried anew, once, when that run is gone."""
    record = seen.status.models.get(name)
    before = record.quarantined.get(number) if record else None
    if before is not None and before.retried and not held.retried:
        held = held.model_copy(update={"retried": True})
    exhausted = held.active and held.transient and held.attempts >= MAX_ATTEMPTS
    if not exhausted or held.retried or not seen.quorum:
        return held
    if held.suspects:
        alive = {pod.key for pod in seen.workload.pods}
        if alive.isdisjoint(held.suspects):
            update = {"active": False, "attempts": 0, "suspects": (), "retried": True}
            return held.model_copy(update=update)
        return held
    said = {p.key: seen.reports[p.key].get(name, {}).get(number) for p in seen.serving}
    failed = tuple(sorted(key for key, status in said.items() if status and _failed(status)))
    loaded = any(status and _loaded(status) for status in said.values())
    return held.model_copy(update={"suspects": failed}) if failed and loaded else held


def _failed(status: VersionStatus) -> bool:
    return status.state == END and bool(status.code)


def _loaded(status: VersionStatus) -> bool:
    """It serves, or it did and was let go."""
    return status.state == AVAILABLE or (status.state == END and not status.code)
