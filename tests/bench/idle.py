"""An idle tick over a thousand models: what it reads, what it writes, how long it takes.

All real but the uploads: the models' documents are written as the starter's are, served in place.
"""

import time
from collections.abc import Iterator
from typing import Any

from berth.adapters.gcs import GcsObjectStore
from berth.app import control, projecting
from berth.domain import documents
from berth.domain.documents import AdmittedVersion, Model, Shard, Template
from berth.domain.names import ModelName
from infra.demo.fleet import Fleet, until
from infra.local.stack import Stack
from tests.bench.evidence import Mark

MODELS = 1000
_A_SHARD = 200
_TICKS = 3


def measure(stack: Stack, fleet: Fleet) -> dict[str, Any]:
    """Fill the fleet up to MODELS on shards of at most 200, wait until it is quiet, and tick."""
    began = time.monotonic()
    _fill(fleet)
    shards = sorted({blob.name.split("/")[1] for blob in _shapes(fleet)})
    until("every model serves", lambda: _converged(stack, fleet, shards), seconds=240)
    filled = time.monotonic() - began
    models = sum(1 for _ in fleet.control.list_blobs(prefix="models/"))
    ticks = [_tick(stack, fleet, shards) for _ in range(_TICKS)]
    return {
        "models": models,
        "shards": len(shards),
        "replicas": len(fleet.replicas.ready()),
        "filled_seconds": filled,
        **sorted(ticks, key=lambda tick: float(tick["seconds"]))[_TICKS // 2],
    }


def _fill(fleet: Fleet) -> None:
    """Write shapes of one replica each, documents and projections: the ticks do the rest."""
    store = GcsObjectStore(fleet.storage, fleet.control.name)
    like = control.require(store, documents.shard_name("shard-0"), Shard)
    template = control.require(store, documents.template_name("starter"), Template)
    missing = MODELS - sum(1 for _ in fleet.control.list_blobs(prefix="models/"))
    for number, shard in enumerate(_places(missing)):
        name = documents.shard_name(shard)
        if store.stat(name) is None:
            shape = like.model_copy(update={"shard": shard, "replicas_min": 1, "replicas_max": 1})
            control.write(store, name, shape, if_generation=0)
        model = _model(ModelName("bulk", f"model-{number}"), shard, template)
        place = documents.model_name(model.name)
        generation = control.write(store, place, model, if_generation=0)
        projecting.project_model(store, model, generation)
    fleet.tick()


def _places(count: int) -> Iterator[str]:
    for number in range(count):
        yield f"shard-{2 + number // _A_SHARD}"


def _model(name: ModelName, shard: str, template: Template) -> Model:
    version = AdmittedVersion(
        digest=template.digest, footprint=template.footprint, admitted_at="2026-01-01T00:00:00Z"
    )
    return Model(
        customer=name.customer,
        model=name.model,
        base_path="templates/starter",
        versions={1: version},
        shard=shard,
    )


def _shapes(fleet: Fleet) -> list[Any]:
    blobs = fleet.control.list_blobs(prefix="shards/")
    return [blob for blob in blobs if blob.name.endswith("/shard.json")]


def _converged(stack: Stack, fleet: Fleet, shards: list[str]) -> bool:
    """Whether a tick finds nothing to do in the fleet and in every shard."""
    mark = Mark.now(stack)
    _await_tick(mark, fleet, shards)
    return _idle(mark, shards)


def _idle(mark: Mark, shards: list[str]) -> bool:
    passes = mark.passes("reconcile_shard") + mark.passes("reconcile_fleet")
    return all(line["outcome"] == "converged" for line in passes)


def _await_tick(mark: Mark, fleet: Fleet, shards: list[str]) -> None:
    message = fleet.tick()

    def ended() -> bool:
        ticked = any(p["event_id"] == message for p in mark.passes("reconcile_fleet"))
        seen = {p.get("shard") for p in mark.passes("reconcile_shard")}
        return ticked and seen.issuperset(shards)

    until("a tick's passes end", ended, seconds=120)


def _tick(stack: Stack, fleet: Fleet, shards: list[str]) -> dict[str, Any]:
    """One tick, alone: between two of the schedule's."""
    until("the scheduled tick is over", lambda: 10 < time.time() % 60 < 50)
    before, audit = fleet.generations(), fleet.audit_size()
    mark = Mark.now(stack)
    began = time.monotonic()
    _await_tick(mark, fleet, shards)
    seconds = time.monotonic() - began
    # Taken before the next listing of ours adds to the log.
    requests = mark.requests()
    after = fleet.generations()
    passes = mark.passes("reconcile_shard")
    return {
        "seconds": seconds,
        "fleet_pass_seconds": [p["seconds"] for p in mark.passes("reconcile_fleet")],
        "shard_pass_seconds": sorted(p["seconds"] for p in passes),
        "storage_requests": dict(requests),
        "changed_objects": sum(before.get(n) != after.get(n) for n in before.keys() | after.keys()),
        "cluster_writes": len(fleet.cluster_writes(audit)),
    }
