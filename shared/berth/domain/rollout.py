"""The rollout of one model on one shard, as a pure step: what is seen -> what is wanted next.

Pending -> Loading -> Available on the replicas -> Bootable (boot config written) -> Serving
(announced, and in the routes) -> old versions dropped, when no router asks for them any more;
Quarantined(version, reason) beside it. Rollback is the same machine with an older version wanted.
Every step is safe to take again.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from berth.domain import pilot, quarantines, records, routing, serving_config
from berth.domain.documents import Projection
from berth.domain.observation import END, Observation, StoredConfig
from berth.domain.serving_config import Entry
from berth.domain.shard_status import FULL, ModelRecord, Quarantine, State

START_PATIENCE = timedelta(seconds=180)


@dataclass(frozen=True, slots=True)
class Step:
    """What one servable wants next in the live and the boot config, and what is to be recorded.

    `until`: when no router asks any more for what it keeps for them alone.
    """

    live: Entry | None
    boot: Entry | None
    record: ModelRecord
    until: datetime | None = None


def step(
    name: str,
    seen: Observation,
    *,
    mount: str,
    fits: bool = True,
    killers: Mapping[int, Quarantine] | None = None,
) -> Step:
    """Return the next safe step of one servable.

    `mount` is where servers see the models bucket; `fits` is False when the shard has no room for
    what this servable would add; `killers` are versions that a server's death speaks against now.
    """
    projection = seen.projections.get(name)
    record = _record(name, seen)
    if projection is None:
        return _carried(name, seen, record)
    away = projection.arriving or projection.leaving
    record = record.model_copy(update={"elsewhere": away})
    if projection.retired:
        return _retired(name, seen, record, projection)
    quarantined = {**quarantines.judged(name, seen, record), **(killers or {})}
    withdrawn = quarantines.withdrawn(quarantined)
    record = record.model_copy(
        update={
            "quarantined": quarantined,
            "announced": tuple(n for n in record.announced if n not in withdrawn),
        }
    )
    if not fits:
        return _held(name, seen, record, projection, withdrawn)
    return _onward(name, seen, record, projection, mount=mount)


def _onward(
    name: str, seen: Observation, record: ModelRecord, projection: Projection, *, mount: str
) -> Step:
    """AVAILABLE on the replicas, then the boot config, then announced, then old versions dropped."""
    withdrawn = quarantines.withdrawn(record.quarantined)
    wanted = wanted_versions(projection, record.quarantined) or record.announced
    base_path = f"{mount}/{projection.base_path}"
    ready = bool(wanted) and seen.quorum and _everywhere(name, wanted, seen)
    boot = _without(_entry(seen.boot, name), withdrawn)
    bootable = boot is not None and set(wanted) <= set(boot.versions)
    announced = record.announced
    if ready and bootable and not seen.stale_starts(START_PATIENCE):
        announced = wanted
    kept = (_needed(name, seen) | _fallbacks(name, seen, record)) - withdrawn
    named = tuple(sorted({*announced, *wanted, *(kept & _versions(seen.live, name))}))
    # A pod that starts now must have what routers may ask for, and what is announced until its end is.
    booted = {*record.announced, *wanted, *(kept & _versions(seen.boot, name))}
    facts = {"announced": announced, "document": projection.document}
    return Step(
        live=serving_config.entry(base_path, named) if named and not leaving(name, seen) else None,
        boot=serving_config.entry(base_path, booted) if ready else boot,
        record=quarantines.remembered(
            records.observed(name, seen, record.model_copy(update=facts), wanted), wanted, seen.now
        ),
        until=_until(name, seen) if kept - {*announced, *wanted} else None,
    )


def wanted_versions(
    projection: Projection, quarantined: Mapping[int, Quarantine]
) -> tuple[int, ...]:
    """Return the versions to serve, ascending, none quarantined: the newest `keep` up to the pin, the
    canary not counted, and beside them the canary and what has a label.

    With nothing sound up to the pin, what is newer serves rather than nothing.
    """
    sound = sorted(
        n for n in projection.versions if n not in quarantined or not quarantined[n].active
    )
    ordinary = [n for n in sound if n not in projection.canary]
    if projection.pin in projection.versions:
        pin = projection.pin
        ordinary = [n for n in ordinary if pin is None or n <= pin] or ordinary
    named = {n for n in (*projection.canary, *projection.labels.values()) if n in sound}
    return tuple(sorted(named.union(ordinary[-projection.keep :])))


def leaving(name: str, seen: Observation) -> bool:
    """Whether a replica has yet to end what no config names any more: it comes back after its END.

    A name that is told again before is never seen to change, and the reload that tells it never ends.
    """
    if seen.live is None or _entry(seen.live, name) or _entry(seen.boot, name):
        return False
    reports = (seen.reports.get(pod.key, {}) for pod in seen.serving)
    return any(s.state != END for report in reports for s in report.get(name, {}).values())


def _record(name: str, seen: Observation) -> ModelRecord:
    """The last record, or what the boot config tells when the status document is new or was lost.

    A servable that was here before and was forgotten must not say again what it said then.
    """
    known = seen.status.models.get(name)
    if known is not None:
        return known
    boot = _entry(seen.boot, name)
    return ModelRecord(
        state="PENDING", announced=boot.versions if boot else (), said=seen.status_generation
    )


def _carried(name: str, seen: Observation, record: ModelRecord) -> Step:
    """A servable that runs without a projection stays as it is, and is reported (law 1)."""
    reason = "carried forward: no projection names it, and none says that it is retired"
    kept = record.model_copy(update={"reason": reason})
    return Step(_entry(seen.live, name) or _entry(seen.boot, name), _entry(seen.boot, name), kept)


def _held(
    name: str,
    seen: Observation,
    record: ModelRecord,
    projection: Projection,
    withdrawn: Collection[int],
) -> Step:
    """No room: what serves goes on serving, what would be added waits with a reason."""
    reason = f"{FULL}: {len(seen.projections)} models within {seen.shard.memory_bytes} bytes"
    state: State = "SERVING" if record.announced else "PENDING"
    held = record.model_copy(update={"reason": reason, "document": projection.document})
    return Step(
        _without(_entry(seen.live, name), withdrawn),
        _without(_entry(seen.boot, name), withdrawn),
        records.since(held, record, state, seen.now),
    )


def _retired(name: str, seen: Observation, record: ModelRecord, projection: Projection) -> Step:
    """No longer announced nor in the routes, then out of the boot config, then of the live one: retired
    once no replica serves it.
    """
    gone = _entry(seen.boot, name) is None and _entry(seen.live, name) is None
    quiet = gone and seen.quorum and all(seen.running(pod) is not None for pod in seen.serving)
    unloaded = quiet and all(
        status.state == END
        for pod in seen.serving
        for status in seen.reports[pod.key].get(name, {}).values()
    )
    update = record.model_copy(
        update={
            "announced": (),
            "document": projection.document,
            "reason": "" if unloaded else "leaving the replicas",
            "versions": {},
            "quarantined": {},
        }
    )
    state: State = "RETIRED" if unloaded else "LOADING"
    kept = _needed(name, seen)
    boot = _entry(seen.boot, name) if record.announced or kept else None
    in_boot = _entry(seen.boot, name) is not None
    return Step(
        live=_entry(seen.live, name) if in_boot else None,
        boot=boot,
        record=records.since(update, record, state, seen.now),
        until=_until(name, seen) if kept else None,
    )


def _needed(name: str, seen: Observation) -> frozenset[int]:
    """The versions of a servable in either config that a router may still ask for."""
    there = _versions(seen.live, name) | _versions(seen.boot, name)
    return routing.needed(seen.routes, name, there, seen.now)


def _fallbacks(name: str, seen: Observation, record: ModelRecord) -> frozenset[int]:
    """What served before, while it is not known how a replica ended: if of the new version, this one
    serves again, and a config told meanwhile would hide the cause.
    """
    broken = {n for n, held in record.quarantined.items() if held.active}
    return _versions(seen.boot, name) - broken if pilot.away(seen) else frozenset()


def _until(name: str, seen: Observation) -> datetime | None:
    """When no router asks any more; None where that is past, or not known."""
    at = routing.settled(seen.routes, name)
    return at if at is not None and at > seen.now else None


def _everywhere(name: str, versions: tuple[int, ...], seen: Observation) -> bool:
    """Whether every replica runs a config that names these versions, and has them AVAILABLE.

    What is AVAILABLE without being named is on its way out: a fallback must be named first.
    """
    for pod in seen.serving:
        entry = (seen.running(pod) or {}).get(name)
        if entry is None or not set(versions) <= set(entry.versions):
            return False
    return all(records.available(name, n, seen) == len(seen.serving) for n in versions)


def _without(entry: Entry | None, numbers: Collection[int]) -> Entry | None:
    """An entry without some versions; None when nothing is left."""
    if entry is None:
        return None
    left = tuple(n for n in entry.versions if n not in numbers)
    return serving_config.entry(entry.base_path, left) if left else None


def _versions(config: StoredConfig | None, name: str) -> frozenset[int]:
    entry = _entry(config, name)
    return frozenset(entry.versions) if entry else frozenset()


def _entry(config: StoredConfig | None, name: str) -> Entry | None:
    return config.entries.get(name) if config is not None else None
