"""Projections: a model's document copied to its shards, never older over newer."""

from berth.domain import documents
from berth.domain.documents import Projection
from berth.domain.errors import Conflict
from berth.ports import ObjectStore


def project(store: ObjectStore, servable: str, shard: str, projection: Projection) -> bool:
    """Write one projection unless a newer one is there; return whether it was written."""
    name = documents.projection_name(shard, servable)
    for _ in range(5):
        there = store.stat(name)
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


def project_model(store: ObjectStore, model: documents.Model, generation: int) -> tuple[str, ...]:
    """Project a document onto all its shards; return the shards.

    A model without versions is nothing to a shard that has no projection of it.
    """
    projection = documents.project(model, generation=generation)
    for shard in model.shards:
        name = documents.projection_name(shard, model.name.servable)
        if model.versions or store.stat(name) is not None:
            seen = projection.seen_by(shard, home=model.shard)
            project(store, model.name.servable, shard, seen)
    return model.shards
