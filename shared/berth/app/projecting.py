"""Projections: a model's document copied to its shards, never older over newer."""

from berth.domain import documents
from berth.domain.documents import Projection
from berth.domain.errors import Conflict
from berth.ports import ObjectStore


def project(
    store: ObjectStore, servable: str, shard: str, projection: Projection, *, fresh: bool = False
) -> bool:
    """Write one projection unless a newer one is there; return whether it was written.

    `fresh` says that there most likely is none: it is written first and looked for only then.
    """
    name = documents.projection_name(shard, servable)
    for attempt in range(5):
        there = None if fresh and not attempt else store.stat(name)
        if there is not None and int(there.metadata.get("document", "0")) >= projection.document:
            return False
        try:
            store.put(
                name,
                b"",
                if_generation=there.generation if there else 0,
                metadata=projection.metadata(),
            )
        except Conflict:
            continue
        return True
    raise Conflict(f"{name} kept changing while it was being written")


def project_model(
    store: ObjectStore, model: documents.Model, generation: int, *, fresh: bool = False
) -> tuple[str, ...]:
    """Project a document onto all its shards; return the shards. `fresh` as for `project`."""
    projection = documents.project(model, generation=generation)
    for shard in model.shards:
        project(store, model.name.servable, shard, projection, fresh=fresh)
    return model.shards
