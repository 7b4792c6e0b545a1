"""The fleet's tick as a pure difference: what is missing, stale or due, from listings alone."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from berth.domain import placement
from berth.domain.documents import Footprint, Projection
from berth.domain.last_move import Move
from berth.domain.names import ModelName, VersionName
from berth.domain.placement import Decision, Room, Wanted


@dataclass(frozen=True, slots=True)
class FirstShards:
    """The shape of a new fleet: how many shards at first and at most, and what each is given."""

    count: int
    replicas_min: int
    replicas_max: int
    memory_bytes: int
    max_models: int
    max_count: int = 50


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A model's document as its listing shows it. `shards`: its own and, while it moves, its target.

    `vacant`: it has no version any more; what it remembers is what was deleted, and needs no shard.
    `move` is the one under way, or the last one.
    """

    servable: str
    shards: tuple[str, ...]
    projection: Projection
    vacant: bool = False
    pool: str = ""
    move: Move | None = None

    @property
    def customer(self) -> str:
        """Whose it is."""
        return self.servable.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Replacement:
    """A model that its shard has no room for, and the decision for one that has."""

    servable: str
    shard: str
    placed: Decision

    @property
    def target(self) -> str:
        """Where it goes."""
        return self.placed.shard


@dataclass(frozen=True, slots=True)
class UploadRow:
    """A version in the inbox: the newest generation of any of its files, and of saved_model.pb."""

    version: VersionName
    newest: int
    complete: bool


def stale_projections(
    models: Sequence[ModelRow], projected: Mapping[tuple[str, str], int]
) -> tuple[tuple[str, str, Projection], ...]:
    """Return (shard, servable, projection) where a shard's projection is missing or older.

    `projected` maps (shard, servable) to the document's generation noted there.
    """
    return tuple(
        (shard, row.servable, row.projection.seen_by(shard, home=row.shards[0]))
        for row in models
        for shard in row.shards
        if projected.get((shard, row.servable), 0) < row.projection.document
        and ((shard, row.servable) in projected or not row.vacant)
    )


def misplaced_projections(
    models: Sequence[ModelRow], projected: Mapping[tuple[str, str], int]
) -> tuple[tuple[str, str, Projection], ...]:
    """Return (shard, servable, retired projection) where a shard still has an older projection of a
    model that its document places elsewhere: the shard lets go of it in its own order.
    """
    by_name = {row.servable: row for row in models}
    return tuple(
        (shard, servable, row.projection.left())
        for (shard, servable), document in sorted(projected.items())
        if (row := by_name.get(servable)) is not None
        and shard not in row.shards
        and document < row.projection.document
    )


def leavers(
    models: Sequence[ModelRow], projected: Mapping[tuple[str, str], int]
) -> tuple[tuple[str, str, int], ...]:
    """Return (shard, servable, document) of projections that tell a shard to let go of what its model's
    document places elsewhere, or of a model without versions: they go when the shard has.
    """
    places = {row.servable: row for row in models}
    return tuple(
        (shard, servable, document)
        for (shard, servable), document in sorted(projected.items())
        if (row := places.get(servable)) is not None
        and (row.vacant or shard not in row.shards)
        and document >= row.projection.document
    )


def placed(models: Iterable[ModelRow]) -> dict[str, list[Projection]]:
    """Return the projections of what is placed on each shard; a moving model is on both."""
    found: dict[str, list[Projection]] = {}
    for row in models:
        for shard in row.shards:
            found.setdefault(shard, []).append(row.projection)
    return found


def held(models: Iterable[ModelRow]) -> dict[str, Counter[str]]:
    """Return how many models of each customer each shard has."""
    found: dict[str, Counter[str]] = {}
    for row in models:
        found.setdefault(row.customer, Counter())[row.shards[0]] += 1
    return found


def waiting(
    models: Iterable[ModelRow], unplaced: Mapping[str, Sequence[str]]
) -> tuple[tuple[str, ModelRow, Footprint], ...]:
    """Return (shard, row, footprint of its newest version) of what its shard has no room for: `unplaced`
    names by shard what never served there.
    """
    by_name = {row.servable: row for row in models}
    found = []
    for shard, servables in sorted(unplaced.items()):
        for row in (by_name[name] for name in servables if name in by_name):
            versions = row.projection.versions
            if row.shards == (shard,) and versions:
                found.append((shard, row, versions[max(versions)]))
    return tuple(found)


def replacements(
    models: Sequence[ModelRow],
    waiting: Iterable[tuple[str, ModelRow, Footprint]],
    rooms: Sequence[Room],
) -> tuple[Replacement, ...]:
    """Return new places for models that never served because their shard is full.

    Each goes where it fits best; what fits nowhere stays PENDING with its reason.
    """
    left = {room.shard: room for room in rooms}
    customers = held(models)
    found = []
    for shard, row, newest in waiting:
        others = [room for room in left.values() if room.shard != shard]
        placed = placement.place(
            Wanted(row.servable, newest, pool=row.pool, held=customers[row.customer]), others
        )
        if placed.shard:
            left[placed.shard] = left[placed.shard].taking(newest)
            customers[row.customer].update({placed.shard: 1, shard: -1})
            reason = f"{shard} had no room for it; {placed.reason}"
            why = placed.model_copy(update={"reason": reason})
            found.append(Replacement(row.servable, shard, why))
    return tuple(found)


def unjudged(
    uploads: Sequence[UploadRow], judged: Mapping[VersionName, int]
) -> tuple[VersionName, ...]:
    """Return versions whose newest file no final verdict covers.

    `judged` maps a version to the newest generation its final verdict saw.
    """
    return tuple(
        row.version for row in uploads if row.complete and judged.get(row.version, 0) < row.newest
    )


def unheard(
    wishes: Mapping[ModelName, int], heard: Mapping[ModelName, int]
) -> tuple[ModelName, ...]:
    """Return models whose serving.yaml has a newer generation than the document took up."""
    return tuple(name for name, seen in sorted(wishes.items()) if heard.get(name, seen) < seen)
