"""Every action of a fleet's plan as a step that can be told: its reason and its cost.

`TELLERS` has one teller for each field of the plan that says what is done; a test holds that none is missing.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from berth.domain import foretelling, loads, restarts, rollout
from berth.domain.documents import Footprint, Projection, Shard
from berth.domain.fleet import ModelRow
from berth.domain.fleet_plan import FleetPlan, FleetView
from berth.domain.foretelling import Foretold, Kind, Step
from berth.domain.prices import Prices
from berth.domain.shard_status import ShardStatus


@dataclass(frozen=True, slots=True)
class Rates:
    """What a replica is counted with: the prices, and the machine (with GiB of boot disk) that serves."""

    prices: Prices
    machine: str
    disk_gib: int

    def shard_month(self, shape: Shard) -> float | None:
        """Return what a shard's fewest replicas cost a month; None without a price."""
        one = self.prices.replica_month(self.machine, self.disk_gib, shape.memory_bytes)
        return None if one is None else round(one * shape.replicas_min, 2)


@dataclass(frozen=True, slots=True)
class Scene:
    """A look at the fleet, the plan made from it, and what else its cost is told from.

    `shapes` are those of all shards, new ones too; `rows` the models by name, `placed` by shard; `statuses`
    those of the shards in `touched`.
    """

    seen: FleetView
    made: FleetPlan
    rates: Rates
    shapes: Mapping[str, Shard]
    rows: Mapping[str, ModelRow]
    placed: Mapping[str, Sequence[ModelRow]]
    statuses: Mapping[str, ShardStatus]


def foretell(
    seen: FleetView, made: FleetPlan, rates: Rates, statuses: Mapping[str, ShardStatus]
) -> Foretold:
    """Return the document of a plan. Pure; `statuses` are those of the shards that `touched` names."""
    placed = defaultdict(list)
    for row in seen.models:
        for shard in row.shards:
            placed[shard].append(row)
    rows = {row.servable: row for row in seen.models}
    new = {creation.shard.shard: creation.shard for creation in made.create}
    scene = Scene(seen, made, rates, {**new, **seen.shards}, rows, placed, statuses)
    steps = [step for teller in TELLERS.values() for step in teller(scene)]
    shown = foretelling.SHOWN_STEPS
    return Foretold(
        at=seen.now.isoformat(timespec="seconds"),
        steps=tuple(steps[:shown]),
        left_out=max(0, len(steps) - shown),
        totals=foretelling.totals(steps),
        blocked="; ".join(word for word in (made.blocked, *made.short, made.moves.waits) if word),
        late=made.late,
        unknown=(*foretelling.UNKNOWN, *_guessed(scene, steps)),
        basis=foretelling.basis(rates.prices, rates.machine),
    )


def _guessed(scene: Scene, steps: Iterable[Step]) -> tuple[str, ...]:
    """Say of which pools the price is that of other nodes: nobody tells us what a pool's own cost."""
    pools = {scene.shapes[step.shard].pool for step in steps if step.dollars_a_month}
    machine = scene.rates.machine
    return tuple(
        f"what the nodes of pool {pool} cost: its shards are counted as on {machine}"
        for pool in sorted(pools - {""})
    )


def touched(made: FleetPlan) -> tuple[str, ...]:
    """Return the shards whose status tells what a repair makes them load, in order."""
    return tuple(sorted({shard for shard, _, projection in made.repair if not projection.retired}))


def _created(scene: Scene) -> Iterator[Step]:
    for creation in scene.made.create:
        shape = creation.shard
        yield Step(
            kind="create",
            subject=shape.shard,
            shard=shape.shard,
            reason=creation.reason,
            dollars_a_month=scene.rates.shard_month(shape),
        )


def _repaired(scene: Scene) -> Iterator[Step]:
    for shard, servable, projection in scene.made.repair:
        new = () if projection.retired else _not_announced(scene, shard, servable, projection)
        reason = _why_repaired(scene, shard, servable, projection)
        yield _loading(scene, ("repair", servable), shard, reason, new)


def _why_repaired(scene: Scene, shard: str, servable: str, projection: Projection) -> str:
    row = scene.rows[servable]
    if shard not in row.shards:
        return f"{shard} is told to let go of it: it is placed on {', '.join(row.shards)}"
    if (shard, servable) not in scene.seen.projected:
        return f"{shard} has no projection of it"
    known = scene.seen.projected[shard, servable]
    newest = projection.document
    return f"{shard}'s projection is of generation {known}, the document of {newest}"


def _not_announced(
    scene: Scene, shard: str, servable: str, projection: Projection
) -> tuple[Footprint, ...]:
    """The wanted versions that the shard has not announced, as far as its status tells."""
    status = scene.statuses.get(shard)
    record = status.models.get(servable) if status else None
    wanted = rollout.wanted_versions(projection, record.quarantined if record else {})
    announced = record.announced if record else ()
    return tuple(projection.versions[number] for number in wanted if number not in announced)


def _restarted(scene: Scene) -> Iterator[Step]:
    for shard in scene.made.restart:
        held = [one for row in scene.placed.get(shard, ()) for one in wanted(row)]
        replicas = _replicas(scene, shard)
        yield Step(
            kind="restart",
            subject=shard,
            shard=shard,
            reason=_why_restarted(scene, shard),
            bytes=replicas * loads.resident_bytes(held),
            seconds=round(replicas * loads.boot_seconds(held), 3),
        )


def _why_restarted(scene: Scene, shard: str) -> str:
    if against := scene.made.evidence.get(shard):
        return f"evidence against a server: {against}"
    return restarts.why_old(scene.seen.summaries[shard], scene.seen.policy)


def _placed(scene: Scene) -> Iterator[Step]:
    for move in scene.made.replace:
        new = wanted(scene.rows[move.servable])
        yield _loading(scene, ("place", move.servable), move.target, move.placed.reason, new)


def _dropped(scene: Scene) -> Iterator[Step]:
    for shard, servable in scene.made.drop:
        row = scene.rows[servable]
        elsewhere = f"it is placed on {', '.join(row.shards)}"
        why = "no version of it is left" if row.vacant else elsewhere
        yield Step(
            kind="drop",
            subject=servable,
            shard=shard,
            reason=f"{shard} has let go of it; {why}",
        )


def _moves(scene: Scene) -> Iterator[Step]:
    """Moves that end, then those that begin, as the tick does them."""
    moves = scene.made.moves
    for end in moves.end:
        reason = end.abandoned or f"it serves there; {end.source} lets go of it"
        kind: Kind = "give up" if end.abandoned else "cut over"
        yield Step(kind=kind, subject=end.servable, shard=end.target, reason=reason)
    for begin in moves.begin:
        new = wanted(scene.rows[begin.servable])
        reason = f"from {begin.source}: {begin.reason}; {begin.placed.reason}"
        yield _loading(scene, ("move", begin.servable), begin.target, reason, new)
    for gone in moves.rehome:
        reason = f"it is served no more, and {gone.source} drains"
        yield Step(kind="rehome", subject=gone.servable, shard=gone.target, reason=reason)


def _turned(scene: Scene) -> Iterator[Step]:
    """A shard that is removed is paid for no more; one that drains still is."""
    for turn in scene.made.turn:
        month = scene.rates.shard_month(scene.seen.shards[turn.shard])
        saved = None if month is None else -month
        yield Step(
            kind=TURNS[turn.state],
            subject=turn.shard,
            shard=turn.shard,
            reason=turn.reason,
            dollars_a_month=saved if turn.state == "removed" else 0.0,
        )


def _cleared(scene: Scene) -> Iterator[Step]:
    for shard in scene.made.clear:
        count = len(scene.seen.left[shard])
        reason = f"it is removed, and {count} objects of it are left"
        yield Step(kind="clear", subject=shard, shard=shard, reason=reason)


TURNS: Mapping[str, Kind] = {"draining": "drain", "active": "take back", "removed": "remove"}
TELLERS: Mapping[str, Callable[[Scene], Iterable[Step]]] = {
    "create": _created,
    "repair": _repaired,
    "restart": _restarted,
    "replace": _placed,
    "drop": _dropped,
    "moves": _moves,
    "turn": _turned,
    "clear": _cleared,
}


def wanted(row: ModelRow) -> tuple[Footprint, ...]:
    """Return the footprints of the versions that a model wants loaded."""
    projection = row.projection
    numbers = () if projection.retired else rollout.wanted_versions(projection, {})
    return tuple(projection.versions[number] for number in numbers)


def _loading(
    scene: Scene,
    told: tuple[Kind, str],
    shard: str,
    reason: str,
    new: Sequence[Footprint],
) -> Step:
    """A step that has every replica of a shard load these versions, side by side."""
    return Step(
        kind=told[0],
        subject=told[1],
        shard=shard,
        reason=reason,
        bytes=_replicas(scene, shard) * loads.resident_bytes(new),
        seconds=round(loads.live_seconds(new), 3),
    )


def _replicas(scene: Scene, shard: str) -> int:
    """How many replicas a shard has, or will have."""
    summary, shape = scene.seen.summaries.get(shard), scene.shapes.get(shard)
    return max(summary.replicas if summary else 0, shape.replicas_min if shape else 0)
