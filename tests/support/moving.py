"""Fleets of rows for tests of moves: models, shards and what they report, without a world."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from berth.domain import balancing, moves, placement
from berth.domain.documents import Footprint, Projection, Shard
from berth.domain.fleet import ModelRow
from berth.domain.last_move import Move
from berth.domain.moves import Scene
from berth.domain.policy import MovePolicy
from berth.domain.shard_status import Capacity, ModelRecord, ReplicaStatus, ShardStatus, Summary

MIB = 1024**2
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ROOM = placement.BASE_BYTES  # what a server takes without models


def row(servable, *shards, mib=10, peak=0, document=5, move=None, retired=False, **more):
    size = Footprint(resident_bytes=mib * MIB, peak_bytes=max(mib, peak) * MIB, load_seconds=0.1)
    projection = Projection(
        base_path=servable.replace(".", "/"),
        keep=1,
        pin=None,
        retired=retired,
        versions={1: size},
        document=document,
    )
    return ModelRow(servable, shards, projection, move=move, **more)


def shard(name, mib=1000, **more):
    """A shard with so much room for models."""
    return Shard(shard=name, memory_bytes=ROOM + mib * MIB, **more)


def held(rows, name):
    """The models that a shard serves, or will when it is done."""
    return [one for one in rows if name in one.shards and not one.projection.retired]


def summary(shape, rows, *, rollouts=0, ready=2):
    here = [moves.footprint(one) for one in held(rows, shape.shard)]
    capacity = Capacity(
        models=len(here),
        max_models=shape.max_models,
        bytes=placement.needed_bytes(here),
        bound_bytes=shape.memory_bytes,
    )
    return Summary(
        shard=shape.shard,
        capacity=capacity,
        replicas=2,
        ready=ready,
        oldest_start="",
        rollouts=rollouts,
    )


def record(state="SERVING", announced=(1,), document=5, **more):
    return ModelRecord(state=state, announced=announced, document=document, **more)


def status(ready=2, **models):
    replica = ReplicaStatus(name="a", key="a/0", address="", ready=True, started_at="", reason="")
    return ShardStatus(
        replicas=(replica,) * ready, models={n.replace("_", "."): r for n, r in models.items()}
    )


def scene(rows, shards, *, statuses=None, unsettled=(), now=NOW, summaries=None, **policy):
    seen = {one.shard: summary(one, rows) for one in shards} | (summaries or {})
    return Scene(
        rows=rows,
        shards={one.shard: one for one in shards},
        summaries=seen,
        statuses=statuses or {},
        policy=MovePolicy(**policy),
        now=now,
        unsettled=frozenset(unsettled),
    )


def begun(ago=0, source="a", target="b", **more):
    """A move under way since so many seconds."""
    began = (NOW - timedelta(seconds=ago)).isoformat()
    return Move(source=source, target=target, reason="", bytes=1, began=began, **more)


def decided(seen, replaced=frozenset()):
    return balancing.decide(seen, moves.ends(seen), replaced)


@dataclass
class Simulated:
    """A fleet of rows that is moved tick by tick; a target serves after so many ticks, or never.

    `slow` maps a servable to the ticks that its target takes; 99 is never.
    """

    rows: dict
    shards: dict
    policy: MovePolicy
    slow: dict = field(default_factory=dict)
    now: datetime = NOW
    since: dict = field(default_factory=dict)
    told: list = field(default_factory=list)

    def tick(self):
        """Decide, and carry out; return what was decided."""
        self.now += timedelta(seconds=60)
        made = decided(self.seen())
        for end in made.end:
            one = self.rows[end.servable]
            if end.abandoned:
                move = one.move.abandoned(end.abandoned, self.policy, self.now)
                self._put(one, (end.source,), move)
            else:
                self._put(one, (end.target,), one.move.finished(self.now))
        for begin in made.begin:
            one = self.rows[begin.servable]
            avoided = one.move.avoided if one.move else {}
            move = Move(
                source=begin.source,
                target=begin.target,
                reason=begin.reason,
                bytes=begin.bytes,
                began=self.now.isoformat(),
                avoided=avoided,
            )
            self.since[begin.servable] = 0
            self._put(one, (begin.source, begin.target), move)
        for gone in made.rehome:
            self._put(self.rows[gone.servable], (gone.target,), self.rows[gone.servable].move)
        for name in self.since:
            self.since[name] += 1
        self.told.append(made)
        return made

    def seen(self):
        rows = tuple(self.rows.values())
        statuses = {
            name: status(
                **{
                    one.servable.replace(".", "_"): self._record(one, name)
                    for one in rows
                    if name in one.shards
                }
            )
            for name in moves.involved(rows)
        }
        return Scene(
            rows=rows,
            shards=self.shards,
            summaries={name: summary(one, rows) for name, one in self.shards.items()},
            statuses=statuses,
            policy=self.policy,
            now=self.now,
        )

    def held(self, name):
        """What a shard needs for all that is projected onto it."""
        here = held(self.rows.values(), name)
        return placement.needed_bytes(moves.footprint(one) for one in here), len(here)

    def _put(self, one, shards, move):
        projection = one.projection.model_copy(update={"document": one.projection.document + 1})
        self.rows[one.servable] = replace(one, shards=shards, move=move, projection=projection)

    def _record(self, one, name):
        document = one.projection.document
        arriving = name != one.shards[0]
        if arriving and self.since[one.servable] < self.slow.get(one.servable, 1):
            return record("LOADING", (), document, reason="available on 0 of 2 replicas")
        return record(document=document)
