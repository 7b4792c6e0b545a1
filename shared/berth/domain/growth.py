"""When a pool of shards grows: before it is full, and at once when something waits for room.

Free room is counted in shards: of each shard the share of its tightest bound that is left, less the
head-room that placement keeps. A number is given once: a shard that was removed keeps its document.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from berth.domain.documents import Policy, Shard
from berth.domain.fleet import FirstShards, ModelRow
from berth.domain.footprint import Footprint
from berth.domain.placement import BASE_BYTES, HEADROOM, Room
from berth.domain.policy import PoolPolicy

LEAST_FREE = 0.5  # of a shard: what a pool of any size keeps free
NAME = re.compile(r"shard-(0|[1-9][0-9]{0,8})")


@dataclass(frozen=True, slots=True)
class Creation:
    """A shard to be made, and why."""

    shard: Shard
    reason: str


@dataclass(frozen=True, slots=True)
class Growth:
    """The shards to be made, and what a bound keeps from being made."""

    create: tuple[Creation, ...] = ()
    short: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pool:
    """One pool: its rooms, how many shards it has, and what waits for room, by servable.

    A shard that an operator drains is one of them; one that Berth drains can be taken back. A pool that no
    policy names any more grows no more.
    """

    name: str
    policy: PoolPolicy
    rooms: tuple[Room, ...]
    shards: int
    waiting: Mapping[str, Footprint]
    named: bool = True

    @property
    def called(self) -> str:
        """How it is told of."""
        return f"pool {self.name}" if self.name else "the common pool"


def pools(
    shards: Mapping[str, Shard],
    rooms: Sequence[Room],
    waiting: Sequence[tuple[ModelRow, Footprint]],
    policy: Policy,
) -> tuple[Pool, ...]:
    """Return the common pool, those that the policy names, and any other that has shards."""
    others = {shape.pool for shape in shards.values() if shape.state != "removed"}
    return tuple(
        Pool(
            name=name,
            policy=policy.pool(name),
            rooms=tuple(room for room in rooms if room.pool == name),
            shards=sum(s.pool == name and not _spare(s) for s in shards.values()),
            waiting={row.servable: needs for row, needs in waiting if row.pool == name},
            named=not name or name in policy.pools,
        )
        for name in sorted({"", *policy.pools, *others})
    )


def make(pools: Iterable[Pool], known: Iterable[str], first: FirstShards) -> Growth:
    """Return the shards to be made; `known` are all names that were ever given."""
    names = _free_names(known)
    create, short = list[Creation](), list[str]()
    for pool in pools:
        shape = _shape(pool, first)
        least, most = bounds(pool, first)
        reasons, rooms, left = list[str](), list(pool.rooms), most - pool.shards
        for reason in _wants(pool, rooms, shape, least) if pool.named else ():
            if len(reasons) >= left:
                short.append(f"{pool.called} has {most} shards, and no more are allowed: {reason}")
                break
            reasons.append(reason)
            rooms.append(_empty(shape))
        create += [
            Creation(shape.model_copy(update={"shard": next(names)}), reason) for reason in reasons
        ]
    return Growth(tuple(create), tuple(short))


def bounds(pool: Pool, first: FirstShards) -> tuple[int, int]:
    """Return how many shards a pool has at least and at most."""
    if not pool.named:
        return 0, 0
    common = not pool.name
    least = pool.policy.min_shards or (first.count if common else 1)
    return least, max(least, pool.policy.max_shards or first.max_count)


def free(room: Room) -> float:
    """Return how much of a shard is free for more models: 1 is all of it."""
    usable = (1 - HEADROOM) * room.bound_bytes
    by_bytes = (usable - room.used_bytes) / max(1.0, usable - BASE_BYTES)
    by_models = (room.max_models - room.models) / room.max_models
    by_load = 1 - (room.load or 0.0) / room.max_load if room.max_load else 1.0
    return max(0.0, min(by_bytes, by_models, by_load))


def target(pool: PoolPolicy, shards: int) -> float:
    """Return how many shards' worth of room a pool of that many is to keep free."""
    return max(LEAST_FREE, pool.headroom_percent / 100 * shards)


def _spare(shape: Shard) -> bool:
    return shape.state == "removed" or (shape.state == "draining" and bool(shape.reason))


def _wants(pool: Pool, rooms: list[Room], shape: Shard, least: int) -> Iterator[str]:
    """Give the reason for one more shard after another; `rooms` gets each that is granted."""
    while len(rooms) < least:
        yield f"{pool.called} has at least {least} shards"
    empty = _empty(shape)
    for servable, footprint in sorted(pool.waiting.items()):
        if not empty.fits(footprint):
            continue  # no shard of this pool would ever have room for it
        if not _take(rooms, footprint):
            yield f"{servable} waits for room"
            _take(rooms, footprint)
    while (left := sum(map(free, rooms))) < target(pool.policy, len(rooms)):
        yield f"{pool.called} has room for {left:.2f} of a shard left"


def _take(rooms: list[Room], footprint: Footprint) -> bool:
    """Put a model where it fits first, fullest first."""
    for number in sorted(range(len(rooms)), key=lambda n: -rooms[n].fullness):
        if rooms[number].fits(footprint):
            rooms[number] = rooms[number].taking(footprint)
            return True
    return False


def _shape(pool: Pool, first: FirstShards) -> Shard:
    """The shape of a new shard of a pool."""
    policy = pool.policy
    return Shard(
        shard="new",
        pool=pool.name,
        replicas_min=policy.replicas_min or first.replicas_min,
        replicas_max=policy.replicas_max or max(first.replicas_max, policy.replicas_min or 1),
        memory_bytes=policy.memory_bytes or first.memory_bytes,
        max_models=policy.max_models or first.max_models,
    )


def _empty(shape: Shard) -> Room:
    return Room("", 0, shape.max_models, BASE_BYTES, shape.memory_bytes, pool=shape.pool)


def _free_names(known: Iterable[str]) -> Iterator[str]:
    matched = [NAME.fullmatch(name) for name in known]
    number = max((int(found[1]) for found in matched if found), default=-1)
    while True:
        number += 1
        yield f"shard-{number}"
