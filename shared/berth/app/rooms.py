"""Which shards may take models, and how full they are: read from shapes and status summaries."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from berth.app import control
from berth.domain import documents, rooming
from berth.domain.documents import Shard
from berth.domain.errors import Damaged
from berth.domain.placement import Room
from berth.domain.shard_status import Summary
from berth.ports import ObjectStore

PARALLEL_READS = 16


def shards(store: ObjectStore) -> dict[str, Shard]:
    """Return the desired shape of every shard, by name. A folder without a shape is an error."""
    names = sorted(folder.rstrip("/") for folder in store.folders("shards/"))
    with ThreadPoolExecutor(PARALLEL_READS) as pool:
        return dict(zip(names, pool.map(lambda name: _shape(store, name), names), strict=True))


def _shape(store: ObjectStore, shard: str) -> Shard:
    shape = control.read(store, documents.shard_name(shard), Shard).document
    if shape is None:
        raise Damaged(f"shard {shard} has no shape: missing means error, never removal")
    return shape


def summary(store: ObjectStore, shard: str) -> Summary | None:
    """Return a shard's observed summary, or None before its first pass."""
    stat = store.stat(documents.status_name(shard))
    return Summary.decode(stat.metadata["summary"]) if stat is not None else None


def summaries(store: ObjectStore, names: Iterable[str]) -> dict[str, Summary]:
    """Return the observed summaries of those shards that had a pass, by name."""
    asked = list(names)
    with ThreadPoolExecutor(PARALLEL_READS) as pool:
        found = zip(asked, pool.map(lambda name: summary(store, name), asked), strict=True)
        return {name: seen for name, seen in found if seen is not None}


def active(store: ObjectStore) -> tuple[Room, ...]:
    """Return the room of each active shard."""
    known = shards(store)
    return rooming.rooms(known, summaries(store, known))


def room(store: ObjectStore, shard: str) -> Room | None:
    """Return the room of one shard, None where it is not active."""
    with ThreadPoolExecutor(1) as pool:
        seen = pool.submit(summary, store, shard)
        shape = _shape(store, shard)
        return rooming.room(shape, seen.result()) if shape.state == "active" else None
