"""The fleet's tick as data: what was observed, and the difference between that and what should be.

Pure: the same view gives the same plan. An idle fleet gives an empty one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from berth.domain import balancing, fleet, growth, moves, restarts, rooming, shrinking
from berth.domain.documents import Policy, Projection, Shard
from berth.domain.fleet import FirstShards, ModelRow
from berth.domain.growth import Creation, Pool
from berth.domain.moves import Moves, Scene
from berth.domain.placement import Room
from berth.domain.shard_status import ShardStatus, Summary
from berth.domain.shrinking import Turn

NO_MOVES = Moves()


@dataclass(frozen=True, slots=True)
class FleetView:
    """What one look at the fleet saw: complete, or the look raised.

    `projected` maps (shard, servable) to the document's generation noted there; `statuses` are the whole
    status documents of the shards that `asked` names; `left` are the objects that there are of shards that
    are removed, beside their shapes.
    """

    now: datetime
    policy: Policy
    shards: dict[str, Shard]
    summaries: Mapping[str, Summary]
    models: Sequence[ModelRow]
    projected: Mapping[tuple[str, str], int]
    statuses: Mapping[str, ShardStatus] = field(default_factory=dict)
    left: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def rooms(self) -> tuple[Room, ...]:
        """The room of each active shard, with all that is placed there by now."""
        return rooming.rooms(self.shards, self.summaries, fleet.placed(self.models))

    @property
    def unplaced(self) -> dict[str, tuple[str, ...]]:
        """What waits for room without ever having served, by shard."""
        return {shard: status.unplaced for shard, status in self.statuses.items()}


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """What a tick found to do; empty on an idle fleet. `short` tells what a bound keeps from being done."""

    create: tuple[Creation, ...] = ()
    repair: tuple[tuple[str, str, Projection], ...] = ()
    restart: tuple[str, ...] = ()
    replace: tuple[fleet.Replacement, ...] = ()
    drop: tuple[tuple[str, str], ...] = ()
    evidence: Mapping[str, str] = field(default_factory=dict)
    blocked: str = ""
    late: tuple[str, ...] = ()
    short: tuple[str, ...] = ()
    moves: Moves = NO_MOVES
    turn: tuple[Turn, ...] = ()
    clear: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether nothing is to be written."""
        parts = (self.create, self.repair, self.restart, self.replace, self.drop)
        return not (any(parts) or self.turn or self.clear) and self.moves.empty

    @property
    def actions(self) -> tuple[str, ...]:
        """What is to be done, in words."""
        return (
            *(f"create {made.shard.shard}: {made.reason}" for made in self.create),
            *(f"{turn.shard} is {turn.state} now: {turn.reason}" for turn in self.turn),
            *(f"clear {shard}" for shard in self.clear),
            *(_restarted(shard, self.evidence.get(shard, "")) for shard in self.restart),
            *(f"place {move.servable} on {move.target}" for move in self.replace),
            *(f"drop {servable} from {shard}" for shard, servable in self.drop),
            *self.moves.told,
            *((f"repair {len(self.repair)} projections",) if self.repair else ()),
        )


def asked(
    models: Sequence[ModelRow],
    projected: Mapping[tuple[str, str], int],
    shards: Mapping[str, Shard],
    summaries: Mapping[str, Summary],
) -> tuple[str, ...]:
    """Return the shards whose whole status document a plan needs, in order."""
    leaving = {shard for shard, _, _ in fleet.leavers(models, projected)}
    full = {shard for shard, summary in summaries.items() if summary.unplaced}
    draining = {shard for shard, shape in shards.items() if shape.state == "draining"}
    return tuple(sorted(leaving.union(full, draining, moves.involved(models))))


def make(seen: FleetView, first: FirstShards) -> FleetPlan:
    """Return what the fleet needs now."""
    wave = restarts.wave(seen.shards, seen.summaries, policy=seen.policy, now=seen.now)
    waiting = fleet.waiting(seen.models, seen.unplaced)
    rooms = seen.rooms
    unplaced = [(row, footprint) for _, row, footprint in waiting]
    pools = growth.pools(seen.shards, rooms, unplaced, seen.policy)
    grown, back = shrinking.back(growth.make(pools, seen.shards, first), seen.shards)
    made = {creation.shard.shard: creation.shard for creation in grown.create}
    replace = fleet.replacements(seen.models, waiting, (*rooms, *rooming.rooms(made, {})))
    moving = _moves(seen, replace)
    quiet = not (waiting or made or back) and moving.empty
    return FleetPlan(
        create=grown.create,
        repair=(
            *fleet.stale_projections(seen.models, seen.projected),
            *fleet.misplaced_projections(seen.models, seen.projected),
        ),
        restart=wave.restart,
        replace=replace,
        drop=_let_go(seen),
        evidence=wave.evidence,
        blocked=wave.blocked,
        late=wave.late,
        short=grown.short,
        moves=moving,
        turn=back or _turns(seen, pools, first, quiet=quiet),
        clear=shrinking.clear(seen.shards, seen.summaries, seen.left),
    )


def _turns(
    seen: FleetView, pools: Sequence[Pool], first: FirstShards, *, quiet: bool
) -> tuple[Turn, ...]:
    """Return the shards that are drained by now; or, where all is quiet, one that is to drain."""
    drained = shrinking.removals(seen.shards, seen.models, seen.projected, seen.statuses)
    draining = any(shape.state == "draining" for shape in seen.shards.values())
    busy = draining or any(moves.moving(row) for row in seen.models)
    if drained or busy or not quiet:
        return drained
    return shrinking.drains(pools, seen.models, seen.summaries, first)


def _moves(seen: FleetView, replace: tuple[fleet.Replacement, ...]) -> Moves:
    """Return the moves that begin and end beside models that are placed anew."""
    homes = {(shard, row.servable) for row in seen.models for shard in row.shards}
    known = {row.servable for row in seen.models}
    left = {shard for shard, name in seen.projected if name in known and (shard, name) not in homes}
    scene = Scene(
        rows=seen.models,
        shards=seen.shards,
        summaries=seen.summaries,
        statuses=seen.statuses,
        policy=seen.policy.moves,
        now=seen.now,
        unsettled=frozenset(left.union(one.shard for one in replace)),
    )
    return balancing.decide(scene, moves.ends(scene), {one.servable for one in replace})


def _let_go(seen: FleetView) -> tuple[tuple[str, str], ...]:
    """Return the projections of leavers that their shard has let go of since it was told to."""
    found = []
    for shard, servable, document in fleet.leavers(seen.models, seen.projected):
        status = seen.statuses.get(shard)
        record = status.models.get(servable) if status else None
        if record and record.state == "RETIRED" and record.document >= document:
            found.append((shard, servable))
    return tuple(found)


def _restarted(shard: str, evidence: str) -> str:
    return f"restart {shard} ({evidence})" if evidence else f"restart {shard}"
