"""How much room each shard has: from its desired shape, what was observed, and what is placed there.

What was observed is as old as the last pass; what was placed since counts from the moment it is in a
document.
"""

from collections.abc import Iterable, Mapping

from berth.domain import placement, rollout
from berth.domain.documents import Projection, Shard
from berth.domain.placement import Room
from berth.domain.shard_status import Summary

# Custom metadata is bounded to 8 KiB; the rest of it is for what others may add.
SHAPE_BYTES = 4096


def note(shape: Shard) -> dict[str, str]:
    """Return a shape as metadata of its own document; nothing where it is too long for that."""
    text = shape.encode().decode().rstrip()
    return {"shape": text} if len(text.encode()) <= SHAPE_BYTES else {}


def noted_shape(metadata: Mapping[str, str]) -> Shard | None:
    """Return the shape noted in metadata; None where there is none: the document must be read.

    Raises Damaged.
    """
    return Shard.decode(metadata["shape"]) if "shape" in metadata else None


def noted_summary(metadata: Mapping[str, str]) -> Summary:
    """Return the summary noted in a status document's metadata. Raises Damaged."""
    return Summary.decode(metadata.get("summary", ""))


def rooms(
    known: Mapping[str, Shard],
    summaries: Mapping[str, Summary],
    placed: Mapping[str, Iterable[Projection]] | None = None,
) -> tuple[Room, ...]:
    """Return the room of each active shard; `placed` are the projections of what is placed there."""
    return tuple(
        room(shape, summaries.get(name), (placed or {}).get(name, ()))
        for name, shape in known.items()
        if shape.state == "active"
    )


def room(shape: Shard, seen: Summary | None, placed: Iterable[Projection] = ()) -> Room:
    """Return the room of one shard; `seen` is None before its first pass."""
    versions = [
        [projection.versions[n] for n in rollout.wanted_versions(projection, {})]
        for projection in placed
        if not projection.retired
    ]
    used = placement.needed_bytes(footprint for some in versions for footprint in some)
    capacity = seen.capacity if seen else None
    return Room(
        shard=shape.shard,
        models=max(sum(bool(some) for some in versions), capacity.models if capacity else 0),
        max_models=shape.max_models,
        used_bytes=max(used, capacity.bytes if capacity else 0),
        bound_bytes=shape.memory_bytes,
        pool=shape.pool,
    )
