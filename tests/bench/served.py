"""From an upload's last byte to AVAILABLE on all replicas, split into stages, one upload at a time."""

import json
import math
import time
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from infra.demo.fleet import LAST, Fleet, until
from infra.local.stack import Stack
from tests.bench import evidence
from tests.bench.evidence import Mark
from tests.bench.timeline import Timeline
from tests.support import models

CUSTOMER, SERVING = "bench", "dev.berth.model.serving"
STAGES = (
    "event",
    "admission",
    "probe",
    "probe child",
    "placement",
    "reconcile",
    "discovery",
    "server load",
)
# The child's wall time and LOADING -> AVAILABLE: the model's own; all else is Berth's.
LOAD = ("probe child", "server load")
# Uploads meet the servers' polls of 1 s at every phase.
_PHASE = 0.618
_NEW_VERSION_EVERY = 3
# Not counted: they build the clients of every instance, which the bench of imports measures.
WARM = 2


@dataclass(frozen=True, slots=True)
class Sample:
    """One upload: seconds of each stage, which add up to finalize -> AVAILABLE everywhere."""

    version: str
    new_model: bool
    stages: dict[str, float]
    announced: float
    """From AVAILABLE everywhere to announced as SERVING: boot config and status are written."""

    @property
    def total(self) -> float:
        """Finalize -> AVAILABLE on all replicas."""
        return sum(self.stages.values())

    @property
    def ours(self) -> float:
        """All but the model's own load."""
        return sum(seconds for stage, seconds in self.stages.items() if stage not in LOAD)


def measure(stack: Stack, fleet: Fleet, *, uploads: int = 30) -> list[Sample]:
    """Upload one after another: new models, every third time a new version of the last one."""
    fleet.publish(
        "BERTH_CUSTOMER_TOPIC",
        {"type": "customer.signed_up", "customer": CUSTOMER, "plan": "enterprise"},
    )
    until("the customer's starter serves", lambda: fleet.serving(f"{CUSTOMER}.starter", 1))
    for number in range(WARM):
        _upload(stack, fleet, f"warm-{number}", 1)
    samples, model, version = [], 0, 0
    for number in range(uploads):
        again = number % _NEW_VERSION_EVERY == _NEW_VERSION_EVERY - 1
        model, version = (model, version + 1) if again else (model + 1, 1)
        time.sleep((number * _PHASE) % 1.0)
        samples.append(_upload(stack, fleet, f"model-{model}", version))
    return samples


def _upload(stack: Stack, fleet: Fleet, model: str, version: int) -> Sample:
    servable, prefix = f"{CUSTOMER}.{model}", f"{CUSTOMER}/{model}/{version}"
    shard = _document(fleet, f"customers/{CUSTOMER}.json")["home_shard"]
    mark = Mark.now(stack)
    with Timeline(fleet.replicas.ready(shard), servable, version) as timeline:
        fleet.upload(models.model("half_plus_two") / "1", prefix)
        timeline.wait()
    until(f"{prefix} serves", partial(fleet.serving, servable, version))
    until("its pass ends", lambda: _passes(mark, "reconcile_shard", shard=shard))
    document = _document(fleet, f"models/{servable}.json")
    if document["shard"] != shard:
        raise ValueError(f"{servable} was placed on {document['shard']}, not on its home shard")
    return _sample(fleet, mark, document, timeline.last(), version)


def _sample(
    fleet: Fleet, mark: Mark, document: dict[str, Any], server: dict[str, float], version: int
) -> Sample:
    servable = f"{document['customer']}.{document['model']}"
    label, shard = f"{servable}/{version}", document["shard"]
    finalized = _updated(fleet.uploads, f"{servable.replace('.', '/')}/{version}/{LAST}")
    judged = next(p for p in _passes(mark, "admit_model", version=label) if "probe_seconds" in p)
    begun = judged["at"] - judged["seconds"]
    promoted = _time(document["versions"][str(version)]["admitted_at"])
    placed = _updated(fleet.control, f"shards/{shard}/models/{servable}")
    applied = [e for e in mark.lines("reconcile_shard") if e["message"] == "applied"]
    told = next(e["at"] - e["push_seconds"] for e in applied if "Push" in e["actions"])
    said: dict[int, float] = {}

    def heard() -> bool:
        said.update(evidence.announced(fleet.environment, SERVING, servable))
        return version in said

    until(f"{label} is announced", heard)
    loading = server.get("LOADING", server["AVAILABLE"])
    probe, child = judged["probe_seconds"], judged["child_seconds"]
    seconds = (
        begun - finalized,
        promoted - begun - probe,
        probe - child,
        child,
        placed - promoted,
        told - placed,
        loading - told,
        server["AVAILABLE"] - loading,
    )
    stages = dict(zip(STAGES, seconds, strict=True))
    return Sample(label, version == 1, stages, said[version] - server["AVAILABLE"])


def percentile(values: list[float], share: float) -> float:
    """The nearest-rank percentile."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def _passes(mark: Mark, function: str, **facts: object) -> list[dict[str, Any]]:
    return [p for p in mark.passes(function) if facts.items() <= p.items()]


def _document(fleet: Fleet, name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(fleet.control.blob(name).download_as_bytes())
    return document


def _updated(bucket: Any, name: str) -> float:
    blob = bucket.get_blob(name)
    moment: float = blob.updated.timestamp()
    return moment


def _time(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
