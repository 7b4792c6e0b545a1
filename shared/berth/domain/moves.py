"""Moves under way, as a pure step of the fleet's tick: which are cut over, and which are given up.

Make before break: a model's document names the target, the target serves all that is wanted, and only
then the document names the target alone and the old shard lets go. What begins is in `balancing`.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from berth.domain import last_move, rollout
from berth.domain.documents import Shard
from berth.domain.fleet import ModelRow
from berth.domain.footprint import Footprint
from berth.domain.placement import Decision
from berth.domain.policy import MovePolicy
from berth.domain.quarantines import MAX_ATTEMPTS
from berth.domain.shard_status import FULL, ModelRecord, Quarantine, ShardStatus, Summary

# A target's patience grows with what was measured: loads beside others take longer than alone.
LOAD_FACTOR = 10
# How many models that cannot move a tick names.
SHOWN_REFUSED = 3


@dataclass(frozen=True, slots=True)
class Begin:
    """A move that begins: `placed` decides for the target, `bytes` are the model's resident bytes."""

    servable: str
    source: str
    placed: Decision
    reason: str
    bytes: int
    generation: int

    @property
    def target(self) -> str:
        """Where it goes."""
        return self.placed.shard


@dataclass(frozen=True, slots=True)
class End:
    """A move that ends: at the target, or, with a reason in `abandoned`, where it began."""

    servable: str
    source: str
    target: str
    bytes: int
    generation: int
    abandoned: str = ""


@dataclass(frozen=True, slots=True)
class Rehoming:
    """A model that serves nowhere and leaves its shard: its document names another one, at once."""

    servable: str
    source: str
    target: str
    generation: int


@dataclass(frozen=True, slots=True)
class Moves:
    """What a tick does about moves; `refused` says of models that should move why they cannot."""

    begin: tuple[Begin, ...] = ()
    end: tuple[End, ...] = ()
    rehome: tuple[Rehoming, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """Whether nothing is to be written."""
        return not (self.begin or self.end or self.rehome)

    @property
    def waits(self) -> str:
        """What should move and cannot, and why, in words: the first of them."""
        shown = sorted(self.refused.items())[:SHOWN_REFUSED]
        more = len(self.refused) - len(shown)
        said = [f"{servable} is not moved: {why}" for servable, why in shown]
        return "; ".join((*said, *((f"{more} more are not moved",) if more else ())))

    @property
    def told(self) -> tuple[str, ...]:
        """What is done, in words."""
        rehomed = f"rehome {len(self.rehome)} models that are served no more"
        return (
            *(_ended(end) for end in self.end),
            *(
                f"move {one.servable} from {one.source} to {one.target}, {one.bytes} bytes: {one.reason}"
                for one in self.begin
            ),
            *((rehomed,) if self.rehome else ()),
        )


@dataclass(frozen=True, slots=True)
class Scene:
    """What moves are decided from.

    `statuses` are those of both ends of every move under way. `unsettled` are shards that have yet to
    let go of models, or that models leave by another way: of these it is not known how full they will be.
    """

    rows: Sequence[ModelRow]
    shards: Mapping[str, Shard]
    summaries: Mapping[str, Summary]
    statuses: Mapping[str, ShardStatus]
    policy: MovePolicy
    now: datetime
    unsettled: frozenset[str] = frozenset()


def moving(row: ModelRow) -> bool:
    """Whether a model is on its way to another shard."""
    return len(row.shards) > 1


def involved(rows: Iterable[ModelRow]) -> tuple[str, ...]:
    """Return the shards at both ends of the moves under way: their statuses are needed."""
    return tuple(sorted({shard for row in rows if moving(row) for shard in row.shards}))


def footprint(row: ModelRow) -> Footprint:
    """Return what the versions that a model wants need together."""
    projection = row.projection
    wanted = () if projection.retired else rollout.wanted_versions(projection, {})
    listed = [projection.versions[number] for number in wanted]
    resident = sum(one.resident_bytes for one in listed)
    growth = max((max(0, one.peak_bytes - one.resident_bytes) for one in listed), default=0)
    return Footprint(
        resident_bytes=resident,
        peak_bytes=resident + growth,
        load_seconds=sum(one.load_seconds for one in listed),
    )


def ends(scene: Scene) -> tuple[End, ...]:
    """Return the moves that end now."""
    found = ((row, _verdict(row, scene)) for row in scene.rows if moving(row))
    return tuple(_end(row, "" if word == "ready" else word) for row, word in found if word)


def _end(row: ModelRow, abandoned: str) -> End:
    source, target = row.shards
    held = footprint(row).resident_bytes
    return End(row.servable, source, target, held, row.projection.document, abandoned)


def _ended(end: End) -> str:
    if end.abandoned:
        return f"give up moving {end.servable} to {end.target}: {end.abandoned}"
    return f"{end.servable} serves on {end.target}: {end.source} lets go"


def _verdict(row: ModelRow, scene: Scene) -> str:
    """Return "ready", why a move is given up, or "" while it goes on."""
    source, target = row.shards
    shape = scene.shards.get(target)
    if shape is None or shape.state != "active":
        return f"{target} is {shape.state if shape else 'not there'}"
    if row.projection.retired:
        return "ready"  # it is served nowhere any more: nobody loses by the change
    there, here = scene.statuses.get(target), _record(row, source, scene)
    record = there.models.get(row.servable) if there else None
    seen = record is not None and record.document >= row.projection.document
    if record is not None and seen:
        against = _against(record, here)
        if against:
            return against
        if there is not None and _quorum(there, shape) and _serves(row, record, here):
            return "ready"
    return _late(row, scene, record.reason if record and seen else "it was not taken up there")


def _record(row: ModelRow, shard: str, scene: Scene) -> ModelRecord | None:
    status = scene.statuses.get(shard)
    return status.models.get(row.servable) if status else None


def _quorum(status: ShardStatus, shape: Shard) -> bool:
    ready = sum(replica.ready for replica in status.replicas)
    return ready >= max(1, math.ceil(shape.replicas_min / 2))


def _serves(row: ModelRow, there: ModelRecord, here: ModelRecord | None) -> bool:
    """Whether the target serves all that is wanted, or all that the old shard can serve of it.

    Where nothing sound is left at either end nobody loses by the change.
    """
    if there.state == "QUARANTINED":
        return here is None or not here.announced
    known = here.quarantined if here else {}
    least = rollout.wanted_versions(row.projection, known) or (here.announced if here else ())
    most = rollout.wanted_versions(row.projection, {})
    told = set(there.announced)
    return there.state == "SERVING" and (set(most) <= told or set(least) <= told)


def _against(there: ModelRecord, here: ModelRecord | None) -> str:
    """Return why the target will not come to serve the model, or ""."""
    if there.reason.startswith(FULL):
        return f"no room there: {there.reason}"
    known = here.quarantined if here else {}
    for number, held in sorted(there.quarantined.items()):
        if _final(held) and not (number in known and known[number].active):
            return f"version {number} is quarantined there: {held.reason}"
    return ""


def _final(held: Quarantine) -> bool:
    """One that ended a server's process is tried again where it was, not beside others' models."""
    return held.active and (not held.transient or held.alone or held.attempts >= MAX_ATTEMPTS)


def _late(row: ModelRow, scene: Scene, reason: str) -> str:
    """Return why a move has taken too long, or ""; one of which nobody noted its beginning has."""
    move = row.move
    if move is None or move.target != row.shards[1] or move.ended:
        return "nobody noted when it began"
    seconds = scene.policy.patience_seconds + LOAD_FACTOR * footprint(row).load_seconds
    if last_move.within(move.began, seconds, scene.now):
        return ""
    return f"not served there within {seconds:.0f} s: {reason}"
