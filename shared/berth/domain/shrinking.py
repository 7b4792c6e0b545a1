"""When a pool gives a shard back: one at a time, if all of its models fit elsewhere with room to spare.

A shard drains, moves empty it, and then it is removed. What is freed may cost no more bytes moved than the
policy's share of a shard; and so much stays free that growth does not follow at once.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from berth.domain import documents, growth, moves, placement
from berth.domain.documents import Shard
from berth.domain.fleet import FirstShards, ModelRow
from berth.domain.footprint import Footprint
from berth.domain.growth import Growth, Pool
from berth.domain.placement import Room, Wanted
from berth.domain.shard_status import ShardStatus, Summary

# Of the head-room that growth keeps: what is left free when a shard was given back.
HYSTERESIS = 1.5
# The emptiest shards of a pool that are tried.
TRIED = 3


@dataclass(frozen=True, slots=True)
class Turn:
    """A shard that changes its state, and why; `before` is the state it was seen in."""

    shard: str
    before: str
    state: Literal["active", "draining", "removed"]
    reason: str


def drains(
    pools: Iterable[Pool],
    models: Sequence[ModelRow],
    summaries: Mapping[str, Summary],
    first: FirstShards,
) -> tuple[Turn, ...]:
    """Return the shard that is to drain now, if any. The caller sees that none drains already, nothing
    waits for room and nothing moves.
    """
    for pool in pools:
        least, _ = growth.bounds(pool, first)
        known = all(room.shard in summaries for room in pool.rooms)
        if known and len(pool.rooms) > least and pool.policy.drain_percent:
            for turn in _drained(pool, models):
                return (turn,)
    return ()


def removals(
    shards: Mapping[str, Shard],
    models: Sequence[ModelRow],
    projected: Iterable[tuple[str, str]],
    statuses: Mapping[str, ShardStatus],
) -> tuple[Turn, ...]:
    """Return the draining shards that nothing is placed on, projected to or served from any more."""
    used = {shard for row in models for shard in row.shards} | {shard for shard, _ in projected}
    return tuple(
        Turn(name, "draining", "removed", "it is drained")
        for name, shape in sorted(shards.items())
        if shape.state == "draining"
        and name not in used
        and name in statuses
        and not statuses[name].models
    )


def clear(
    shards: Mapping[str, Shard],
    summaries: Mapping[str, Summary],
    left: Mapping[str, tuple[str, ...]],
) -> tuple[str, ...]:
    """Return the removed shards of which objects are left and nothing else: no workload, no pod."""
    return tuple(
        name
        for name, objects in sorted(left.items())
        if objects and shards[name].state == "removed" and _gone(name, objects, summaries)
    )


def _gone(name: str, objects: Sequence[str], summaries: Mapping[str, Summary]) -> bool:
    """It was noted so; or there is no boot config, without which no workload is made."""
    noted = name in summaries and summaries[name].removed
    projected = any(one.startswith(documents.projections_prefix(name)) for one in objects)
    return noted or not (documents.boot_name(name) in objects or projected)


def back(grown: Growth, shards: Mapping[str, Shard]) -> tuple[Growth, tuple[Turn, ...]]:
    """Take shards that drain back before new ones are made; those that an operator drains stay."""
    left, taken = list(grown.create), list[Turn]()
    for name, shape in sorted(shards.items()):
        asked = [made for made in left if made.shard.pool == shape.pool]
        if shape.state == "draining" and shape.reason and asked:
            taken.append(Turn(name, "draining", "active", asked[0].reason))
            left.remove(asked[-1])
    return Growth(tuple(left), grown.short), tuple(taken)


def _drained(pool: Pool, models: Sequence[ModelRow]) -> Iterator[Turn]:
    """Give the shards of a pool that can be freed, the one with least to move first."""
    keep = HYSTERESIS * growth.target(pool.policy, len(pool.rooms) - 1)
    if sum(map(growth.free, pool.rooms)) - 1 < keep:
        return
    emptiest = sorted(pool.rooms, key=lambda room: (room.used_bytes, room.models, room.shard))
    for room in emptiest[:TRIED]:
        held = [row for row in models if row.shards[0] == room.shard]
        needs = {row.servable: moves.footprint(row) for row in held}
        moved = sum(footprint.resident_bytes for footprint in needs.values())
        if moved * 100 > pool.policy.drain_percent * room.bound_bytes:
            return
        others = _elsewhere(held, needs, [one for one in pool.rooms if one != room])
        left = sum(map(growth.free, others))
        if others and left >= keep:
            reason = f"its {len(held)} models ({moved} bytes) fit elsewhere, where {left:.2f}"
            yield Turn(room.shard, "active", "draining", f"{reason} of a shard stays free")


def _elsewhere(
    held: Iterable[ModelRow], needs: Mapping[str, Footprint], rooms: Sequence[Room]
) -> list[Room]:
    """Return the other rooms with all of these models on them; none if one of them has no place."""
    left = {room.shard: room for room in rooms}
    for row in sorted(held, key=lambda row: (-needs[row.servable].resident_bytes, row.servable)):
        footprint = needs[row.servable]
        if not footprint.peak_bytes:
            continue
        wanted = Wanted(row.servable, footprint, pool=rooms[0].pool if rooms else "")
        placed = placement.place(wanted, tuple(left.values())).shard
        if not placed:
            return []
        left[placed] = left[placed].taking(footprint)
    return list(left.values())
