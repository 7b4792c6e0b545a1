"""Which shards may take models, and how full they are: read from shapes and status summaries."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from berth.app import control
from berth.domain import documents, rooming
from berth.domain.documents import Projection, Shard
from berth.domain.errors import Damaged
from berth.domain.placement import Room
from berth.domain.shard_status import Summary
from berth.ports import ObjectStore

PARALLEL_READS = 16
SHARDS = "shards/"
MAX_LOOKS = 10  # shards that are looked at anew for one choice; then it stands


@dataclass(frozen=True, slots=True)
class Listed:
    """What one listing of all shards' folders tells: their shapes, the summaries of those that had a
    pass, by (shard, servable) the generation of the document that is projected there, and the names of all
    objects but the shapes.
    """

    shards: dict[str, Shard]
    summaries: dict[str, Summary]
    projected: dict[tuple[str, str], int]
    objects: dict[str, list[str]] = field(default_factory=dict)

    @property
    def left(self) -> dict[str, tuple[str, ...]]:
        """What there is of shards that are removed, beside their shapes."""
        removed = [name for name, shape in self.shards.items() if shape.state == "removed"]
        return {name: tuple(self.objects.get(name, ())) for name in removed}


def look(store: ObjectStore) -> Listed:
    """List the shards' folders once; a shape is read only where its metadata does not tell it.

    Raises Damaged for a folder without a shape.
    """
    shapes: dict[str, Shard | None] = {}
    found = Listed({}, {}, {})
    folders: set[str] = set()
    for stat in store.list(SHARDS):
        shard, _, rest = stat.name.removeprefix(SHARDS).partition("/")
        folders.add(shard)
        if rest != "shard.json":
            found.objects.setdefault(shard, []).append(stat.name)
        if rest == "shard.json":
            shapes[shard] = rooming.noted_shape(stat.metadata)
        elif rest == "status.json":
            found.summaries[shard] = rooming.noted_summary(stat.metadata)
        elif rest.startswith("models/"):
            servable = rest.removeprefix("models/")
            found.projected[shard, servable] = int(stat.metadata.get("document", "0"))
    told = {name: shape for name, shape in shapes.items() if shape is not None}
    read = _shapes(store, sorted(folders - told.keys()))
    found.shards.update(sorted((told | read).items()))
    return found


def shards(store: ObjectStore) -> dict[str, Shard]:
    """Return the desired shape of every shard, by name. A folder without a shape is an error."""
    return _shapes(store, sorted(folder.rstrip("/") for folder in store.folders(SHARDS)))


def _shapes(store: ObjectStore, names: Sequence[str]) -> dict[str, Shard]:
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
    return rooming.noted_summary(stat.metadata) if stat is not None else None


def summaries(store: ObjectStore, names: Iterable[str]) -> dict[str, Summary]:
    """Return the observed summaries of those shards that had a pass, by name."""
    asked = list(names)
    with ThreadPoolExecutor(PARALLEL_READS) as pool:
        found = zip(asked, pool.map(lambda name: summary(store, name), asked), strict=True)
        return {name: seen for name, seen in found if seen is not None}


def active(store: ObjectStore) -> tuple[Room, ...]:
    """Return the room of each active shard, as old as its last pass."""
    known = shards(store)
    return rooming.rooms(known, summaries(store, known))


def room(store: ObjectStore, shard: str) -> Room | None:
    """Return the room of one shard, with all that is placed there by now; None where it is not active."""
    with ThreadPoolExecutor(2) as pool:
        seen = pool.submit(summary, store, shard)
        placed = pool.submit(store.list, documents.projections_prefix(shard))
        shape = _shape(store, shard)
        projections = [Projection.from_metadata(stat.metadata) for stat in placed.result()]
        return rooming.room(shape, seen.result(), projections) if shape.state == "active" else None


def settled(store: ObjectStore, choose: Callable[[Sequence[Room]], str | None]) -> tuple[Room, ...]:
    """Return the rooms of all active shards, with a fresh look at each that a choice among them falls on,
    until it falls on one that was looked at: of many that choose at once, each sees those before it.
    """
    known = {room.shard: room for room in active(store)}
    looked: set[str] = set()
    while len(looked) < MAX_LOOKS:
        chosen = choose(tuple(known.values()))
        if not chosen or chosen in looked:
            break
        looked.add(chosen)
        fresh = room(store, chosen)
        if fresh is None:
            del known[chosen]
        else:
            known[chosen] = fresh
    return tuple(known.values())
