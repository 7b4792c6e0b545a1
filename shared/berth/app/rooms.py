"""Which shards may take models, and how full they are: read from shapes and status summaries."""

from collections.abc import Mapping

from berth.app import control
from berth.domain import documents
from berth.domain.documents import Shard
from berth.domain.errors import Damaged
from berth.domain.placement import BASE_BYTES, Room
from berth.domain.shard_status import Summary
from berth.ports import ObjectStore


def shards(store: ObjectStore) -> dict[str, Shard]:
    """Return the desired shape of every shard, by name. A folder without a shape is an error."""
    names = [folder.rstrip("/") for folder in store.folders("shards/")]
    return {name: _shape(store, name) for name in sorted(names)}


def _shape(store: ObjectStore, shard: str) -> Shard:
    shape = control.read(store, documents.shard_name(shard), Shard).document
    if shape is None:
        raise Damaged(f"shard {shard} has no shape: missing means error, never removal")
    return shape


def summary(store: ObjectStore, shard: str) -> Summary | None:
    """Return a shard's observed summary, or None before its first pass."""
    stat = store.stat(documents.status_name(shard))
    return Summary.decode(stat.metadata["summary"]) if stat is not None else None


def active(store: ObjectStore) -> tuple[Room, ...]:
    """Return the room of each active shard."""
    known = shards(store)
    found = {name: summary(store, name) for name in known}
    return listed(known, {name: seen for name, seen in found.items() if seen is not None})


def listed(known: Mapping[str, Shard], summaries: Mapping[str, Summary]) -> tuple[Room, ...]:
    """Return the room of each active shard, from what was read already."""
    return tuple(
        _room(shape, summaries.get(name))
        for name, shape in known.items()
        if shape.state == "active"
    )


def _room(shape: Shard, seen: Summary | None) -> Room:
    return Room(
        shard=shape.shard,
        models=seen.capacity.models if seen else 0,
        max_models=shape.max_models,
        used_bytes=seen.capacity.bytes if seen else BASE_BYTES,
        bound_bytes=shape.memory_bytes,
    )
