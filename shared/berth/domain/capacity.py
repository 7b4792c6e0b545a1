"""Whether a shard has room: the lease holder's last word on what placement only proposed."""

from collections.abc import Mapping

from berth.domain import placement, rollout
from berth.domain.documents import Footprint, Shard
from berth.domain.observation import Observation
from berth.domain.shard_status import Capacity

UNKNOWN = Footprint(resident_bytes=0, peak_bytes=0, load_seconds=0)


def fitting(seen: Observation) -> frozenset[str]:
    """Return the servables that may take their next step within the shard's bounds.

    What is announced is counted first and always stays; what would be added is taken in the order
    of names until it no longer fits, so that every pass gives the same answer.
    """
    held = {name: _announced(name, seen) for name in seen.projections}
    admitted: set[str] = set()
    for name in sorted(seen.projections):
        grown = {**held, name: _next(name, seen)}
        if grown[name] == held[name] or within(grown, seen.shard):
            held = grown
            admitted.add(name)
    return frozenset(admitted)


def within(versions: Mapping[str, Mapping[int, Footprint]], shard: Shard) -> bool:
    """Whether these versions fit a replica's memory and the shard's bound on models."""
    listed = [footprint for by_number in versions.values() for footprint in by_number.values()]
    models = sum(bool(by_number) for by_number in versions.values())
    return models <= shard.max_models and placement.needed_bytes(listed) <= shard.memory_bytes


def used(seen: Observation) -> Capacity:
    """Return what the models projected here need against the shard's bounds."""
    wanted = {n: _next(n, seen) for n, p in seen.projections.items() if not p.retired}
    footprints = [f for by_number in wanted.values() for f in by_number.values()]
    return Capacity(
        models=sum(bool(by_number) for by_number in wanted.values()),
        max_models=seen.shard.max_models,
        bytes=placement.needed_bytes(footprints),
        bound_bytes=seen.shard.memory_bytes,
    )


def _announced(name: str, seen: Observation) -> dict[int, Footprint]:
    record = seen.status.models.get(name)
    live = seen.live.entries.get(name) if seen.live else None
    numbers = {*(record.announced if record else ()), *(live.versions if live else ())}
    known = seen.projections[name].versions
    return {number: known.get(number, UNKNOWN) for number in sorted(numbers)}


def _next(name: str, seen: Observation) -> dict[int, Footprint]:
    projection = seen.projections[name]
    record = seen.status.models.get(name)
    wanted = rollout.wanted_versions(projection, record.quarantined if record else {})
    if projection.retired:
        wanted = ()
    return {**_announced(name, seen), **{number: projection.versions[number] for number in wanted}}
