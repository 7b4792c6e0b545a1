"""How much room each shard has, from its desired shape and its observed summary."""

from collections.abc import Mapping

from berth.domain.documents import Shard
from berth.domain.placement import BASE_BYTES, Room
from berth.domain.shard_status import Summary


def rooms(known: Mapping[str, Shard], summaries: Mapping[str, Summary]) -> tuple[Room, ...]:
    """Return the room of each active shard."""
    return tuple(
        room(shape, summaries.get(name)) for name, shape in known.items() if shape.state == "active"
    )


def room(shape: Shard, seen: Summary | None) -> Room:
    """Return the room of one shard; `seen` is None before its first pass."""
    return Room(
        shard=shape.shard,
        models=seen.capacity.models if seen else 0,
        max_models=shape.max_models,
        used_bytes=seen.capacity.bytes if seen else BASE_BYTES,
        bound_bytes=shape.memory_bytes,
    )
