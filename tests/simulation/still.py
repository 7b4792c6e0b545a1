"""A fleet at rest, written straight into a control bucket: documents, projections, shapes, statuses."""

import math
from concurrent.futures import ThreadPoolExecutor

from berth.app import control, projecting
from berth.domain import documents, placement
from berth.domain.documents import AdmittedVersion, Footprint, Model, Shard
from berth.domain.names import ModelName
from berth.domain.shard_status import Capacity, ReplicaStatus, ShardStatus

MIB = 1024**2
FOOTPRINT = Footprint(resident_bytes=40 * MIB, peak_bytes=60 * MIB, load_seconds=0.3)
VERSION = AdmittedVersion(
    digest="sha256:0", footprint=FOOTPRINT, admitted_at="2026-01-01T00:00:00Z", bytes=30 * MIB
)
WRITERS = 16
# What stays free of each shard: enough that the fleet does not grow, too little to free a shard.
SPARE = 0.05


def fill(store, *, models: int, shards: int, now) -> None:
    """Write a fleet on which a tick finds nothing to do; models evenly on the shards."""
    places = [[f"model-{n}" for n in range(models) if n % shards == s] for s in range(shards)]
    with ThreadPoolExecutor(WRITERS) as pool:
        for done in [
            pool.submit(_shard, store, f"shard-{number}", names, now, max(0.75 / shards, SPARE))
            for number, names in enumerate(places)
        ]:
            done.result()


def _shard(store, shard: str, names: list[str], now, spare: float) -> None:
    shape = Shard(
        shard=shard,
        memory_bytes=int(placement.needed_bytes([FOOTPRINT] * len(names)) / (1 - spare)),
        max_models=math.ceil(len(names) / (1 - spare)),
    )
    control.write(store, documents.shard_name(shard), shape, if_generation=0)
    seen = status(shape, len(names), now.isoformat())
    summary = seen.summary(shard).encode().decode().rstrip()
    store.put(
        documents.status_name(shard),
        seen.encode(),
        if_generation=0,
        metadata={"summary": summary},
    )
    for name in names:
        model = Model(
            customer="bulk",
            model=name,
            base_path=f"bulk/{name}",
            versions={1: VERSION},
            shard=shard,
        )
        place = documents.model_name(ModelName("bulk", name))
        generation = control.write(store, place, model, if_generation=0)
        projecting.project_model(store, model, generation)


def status(shape: Shard, models: int, now: str) -> ShardStatus:
    replicas = tuple(
        ReplicaStatus(
            name=f"{shape.shard}-{number}",
            key=f"{shape.shard}-{number}/0",
            address="10.0.0.1",
            ready=True,
            started_at=now,
            reason="",
        )
        for number in range(shape.replicas_min)
    )
    return ShardStatus(
        replicas=replicas,
        capacity=Capacity(
            models=models,
            max_models=shape.max_models,
            bytes=placement.needed_bytes([FOOTPRINT] * models),
            bound_bytes=shape.memory_bytes,
        ),
    )
