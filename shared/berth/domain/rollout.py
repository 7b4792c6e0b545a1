"""The rollout of one model on one shard, as a pure step: what is seen -> what is wanted next.

Pending -> Loading -> Available on the replicas -> Bootable (boot config written) -> Serving
(announced) -> old versions dropped; Quarantined(version, reason) beside it. Rollback is the same
machine with an older version wanted. Every step is safe to take again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from berth.domain import serving_config
from berth.domain.documents import Projection
from berth.domain.observation import AVAILABLE, END, Observation, StoredConfig, VersionStatus
from berth.domain.serving_config import Entry
from berth.domain.shard_status import FULL, ModelRecord, Quarantine, State, VersionRecord

# An END that was there before the push is shown until the next sweep (1 s) and tick (100 ms).
END_GRACE = timedelta(seconds=3)
START_PATIENCE = timedelta(seconds=180)
MAX_ATTEMPTS = 3
# CANCELLED, UNKNOWN, DEADLINE_EXCEEDED, ABORTED, INTERNAL, UNAVAILABLE: the storage or the server
# hiccuped. A version was proven to load before it came here, NOT_FOUND included.
TRANSIENT = frozenset({1, 2, 4, 5, 10, 13, 14})


@dataclass(frozen=True, slots=True)
class Step:
    """What one servable wants next in the live and the boot config, and what is to be recorded."""

    live: Entry | None
    boot: Entry | None
    record: ModelRecord


def step(name: str, seen: Observation, *, mount: str, fits: bool = True) -> Step:
    """Return the next safe step of one servable.

    `mount` is where servers see the models bucket; `fits` is False when the shard has no room for
    what this servable would add.
    """
    projection = seen.projections.get(name)
    record = _record(name, seen)
    if projection is None:
        return _carried(name, seen, record)
    if projection.retired:
        return _retired(name, seen, record, projection)
    quarantined = _quarantine(name, seen, record)
    wanted = wanted_versions(projection, quarantined) or record.announced
    if not fits:
        return _held(name, seen, record, projection)
    base_path = f"{mount}/{projection.base_path}"
    ready = bool(wanted) and seen.quorum and _everywhere(name, wanted, seen)
    boot = _entry(seen.boot, name)
    bootable = boot is not None and set(wanted) <= set(boot.versions)
    announced = record.announced
    if ready and bootable and not seen.stale_starts(START_PATIENCE):
        announced = wanted
    named = tuple(sorted({*announced, *wanted}))
    # A pod that starts now must have what is announced until its end is: the next look drops it.
    booted = {*record.announced, *wanted}
    facts = {
        "announced": announced,
        "quarantined": quarantined,
        "document": projection.document,
    }
    if leaving(name, seen):
        named = ()
    return Step(
        live=serving_config.entry(base_path, named) if named else None,
        boot=serving_config.entry(base_path, booted) if ready else boot,
        record=_observed(name, seen, record.model_copy(update=facts), wanted),
    )


def wanted_versions(
    projection: Projection, quarantined: Mapping[int, Quarantine]
) -> tuple[int, ...]:
    """Return the versions to serve, ascending: the newest `keep` up to the pin, none quarantined.

    With nothing sound up to the pin, what is newer serves rather than nothing.
    """
    sound = sorted(
        n for n in projection.versions if n not in quarantined or not quarantined[n].active
    )
    if projection.pin in projection.versions:
        pin = projection.pin
        sound = [n for n in sound if pin is None or n <= pin] or sound
    return tuple(sound[-projection.keep :])


def leaving(name: str, seen: Observation) -> bool:
    """Whether a replica has yet to end what no config names any more: it comes back after its END.

    A name that is told again before is never seen to change, and the reload that tells it never ends.
    """
    if seen.live is None or _entry(seen.live, name) or _entry(seen.boot, name):
        return False
    reports = (seen.reports.get(pod.key, {}) for pod in seen.serving)
    return any(s.state != END for report in reports for s in report.get(name, {}).values())


def _record(name: str, seen: Observation) -> ModelRecord:
    """The last record, or what the boot config tells when the status document is new or was lost."""
    known = seen.status.models.get(name)
    if known is not None:
        return known
    boot = _entry(seen.boot, name)
    return ModelRecord(state="PENDING", announced=boot.versions if boot else ())


def _carried(name: str, seen: Observation, record: ModelRecord) -> Step:
    """A servable that runs without a projection stays as it is, and is reported (law 1)."""
    reason = "carried forward: no projection names it, and none says that it is retired"
    kept = record.model_copy(update={"reason": reason})
    return Step(_entry(seen.live, name) or _entry(seen.boot, name), _entry(seen.boot, name), kept)


def _held(name: str, seen: Observation, record: ModelRecord, projection: Projection) -> Step:
    """No room: what serves goes on serving, what would be added waits with a reason."""
    reason = f"{FULL}: {len(seen.projections)} models within {seen.shard.memory_bytes} bytes"
    state: State = "SERVING" if record.announced else "PENDING"
    held = record.model_copy(update={"reason": reason, "document": projection.document})
    return Step(
        _entry(seen.live, name), _entry(seen.boot, name), _since(held, record, state, seen.now)
    )


def _retired(name: str, seen: Observation, record: ModelRecord, projection: Projection) -> Step:
    """Leave the boot config first, then the live one; retired once no replica serves it."""
    gone = _entry(seen.boot, name) is None and _entry(seen.live, name) is None
    quiet = gone and seen.quorum and all(seen.informed(pod) for pod in seen.serving)
    unloaded = quiet and all(
        status.state == END
        for pod in seen.serving
        for status in seen.reports[pod.key].get(name, {}).values()
    )
    update = record.model_copy(
        update={
            "announced": () if gone else record.announced,
            "document": projection.document,
            "reason": "" if unloaded else "leaving the replicas",
            "versions": {},
            "quarantined": {},
        }
    )
    state: State = "RETIRED" if unloaded else "LOADING"
    in_boot = _entry(seen.boot, name) is not None
    return Step(
        live=_entry(seen.live, name) if in_boot else None,
        boot=None,
        record=_since(update, record, state, seen.now),
    )


def _quarantine(name: str, seen: Observation, record: ModelRecord) -> dict[int, Quarantine]:
    """Add versions that ended in error; let transient ones in again once every replica let go."""
    live = _entry(seen.live, name)
    named = set(live.versions) if live else set()
    result: dict[int, Quarantine] = {}
    for number, known in record.quarantined.items():
        let_go = number not in named and all(seen.informed(pod) for pod in seen.serving)
        again = known.active and known.transient and known.attempts < MAX_ATTEMPTS and let_go
        result[number] = known.model_copy(update={"active": False}) if again else known
    for number, ended in _ended(name, named, seen).items():
        known_attempts = result[number].attempts if number in result else 0
        if number not in result or not result[number].active:
            result[number] = Quarantine(
                reason=f"failed to load on a replica: {ended.message[:400]}",
                transient=ended.code in TRANSIENT,
                attempts=known_attempts + 1,
            )
    return result


def _ended(name: str, named: set[int], seen: Observation) -> dict[int, VersionStatus]:
    """Versions that ended in error on a replica which has had the time to try them."""
    found: dict[int, VersionStatus] = {}
    for pod in seen.serving:
        told = seen.told.get(pod.key)
        if not seen.informed(pod) or (told and not _elapsed(told.at, seen.now)):
            continue
        for number, status in seen.reports.get(pod.key, {}).get(name, {}).items():
            if number in named and status.state == END and status.code:
                found.setdefault(number, status)
    return found


def _elapsed(told_at: str, now: datetime) -> bool:
    return now - datetime.fromisoformat(told_at) >= END_GRACE


def _everywhere(name: str, versions: tuple[int, ...], seen: Observation) -> bool:
    """Whether every replica runs a config that names these versions, and has them AVAILABLE.

    What is AVAILABLE without being named is on its way out: a fallback must be named first.
    """
    live = _entry(seen.live, name)
    if live is None or not set(versions) <= set(live.versions):
        return False
    told = all(seen.informed(pod) for pod in seen.serving)
    return told and all(_available(name, n, seen) == len(seen.serving) for n in versions)


def _available(name: str, number: int, seen: Observation) -> int:
    """On how many serving replicas one version is AVAILABLE."""
    statuses = (seen.reports.get(pod.key, {}).get(name, {}).get(number) for pod in seen.serving)
    return sum(status is not None and status.state == AVAILABLE for status in statuses)


def _observed(
    name: str, seen: Observation, record: ModelRecord, wanted: tuple[int, ...]
) -> ModelRecord:
    """Fill in states and reasons of the model and of each version that matters now."""
    versions: dict[int, VersionRecord] = {}
    for number in sorted({*wanted, *record.announced, *record.quarantined}):
        replicas = _available(name, number, seen)
        held = record.quarantined.get(number)
        if held is not None and held.active:
            versions[number] = VersionRecord(
                state="QUARANTINED", reason=held.reason, replicas=replicas
            )
        elif number in record.announced:
            versions[number] = VersionRecord(state="SERVING", replicas=replicas)
        elif number in wanted:
            reason = f"available on {replicas} of {len(seen.serving)} replicas"
            versions[number] = VersionRecord(state="LOADING", reason=reason, replicas=replicas)
    state, reason = _summary(record, wanted, versions)
    return _since(
        record.model_copy(update={"versions": versions, "reason": reason}),
        seen.status.models.get(name),
        state,
        seen.now,
    )


def _summary(
    record: ModelRecord, wanted: tuple[int, ...], versions: Mapping[int, VersionRecord]
) -> tuple[State, str]:
    poisoned = [f"version {n}: {v.reason}" for n, v in versions.items() if v.state == "QUARANTINED"]
    if not wanted:
        return "QUARANTINED", "; ".join(poisoned)
    if record.announced == wanted:
        return "SERVING", "; ".join(poisoned)
    return "LOADING", versions[wanted[-1]].reason if wanted[-1] in versions else ""


def _since(
    record: ModelRecord, before: ModelRecord | None, state: State, now: datetime
) -> ModelRecord:
    unchanged = before is not None and before.state == state and before.since
    since = before.since if before is not None and unchanged else now.isoformat(timespec="seconds")
    return record.model_copy(update={"state": state, "since": since})


def _entry(config: StoredConfig | None, name: str) -> Entry | None:
    return config.entries.get(name) if config is not None else None
