"""The fleet's tick as a pure difference: what is missing, stale or due, from listings alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from berth.domain import placement
from berth.domain.documents import Projection, Shard
from berth.domain.names import ModelName, VersionName
from berth.domain.placement import Decision, Room
from berth.domain.shard_status import Summary


@dataclass(frozen=True, slots=True)
class FirstShards:
    """The shape of a new fleet: how many shards, and what each is given."""

    count: int
    replicas_min: int
    replicas_max: int
    memory_bytes: int
    max_models: int


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A model's document as its listing shows it. `shards`: its own and, while it moves, its target.

    `vacant`: it has no version any more; what it remembers is what was deleted, and needs no shard.
    """

    servable: str
    shards: tuple[str, ...]
    projection: Projection
    vacant: bool = False


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


def missing_shards(known: Mapping[str, Shard], first: FirstShards) -> tuple[Shard, ...]:
    """Return the first shards that do not exist yet; an existing one is never reshaped."""
    names = [f"shard-{number}" for number in range(first.count)]
    return tuple(
        Shard(
            shard=name,
            replicas_min=first.replicas_min,
            replicas_max=first.replicas_max,
            memory_bytes=first.memory_bytes,
            max_models=first.max_models,
        )
        for name in names
        if name not in known
    )


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
        (shard, servable, row.projection.model_copy(update={"retired": True}))
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


def replacements(
    models: Sequence[ModelRow], summaries: Mapping[str, Summary], rooms: Sequence[Room]
) -> tuple[Replacement, ...]:
    """Return new places for models that never served because their shard is full.

    Each goes where it fits best; what fits nowhere stays PENDING with its reason.
    """
    left = {room.shard: room for room in rooms}
    found = []
    by_name = {row.servable: row for row in models}
    for shard, summary in sorted(summaries.items()):
        for servable in summary.unplaced:
            row = by_name.get(servable)
            if row is None or row.shards != (shard,) or not row.projection.versions:
                continue
            newest = row.projection.versions[max(row.projection.versions)]
            others = [room for room in left.values() if room.shard != shard]
            placed = placement.place(newest, others, home="", draw=lambda _: 0)
            if placed.shard:
                left[placed.shard] = left[placed.shard].taking(newest)
                reason = f"{shard} had no room for it; {placed.reason}"
                why = placed.model_copy(update={"reason": reason})
                found.append(Replacement(servable, shard, why))
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
