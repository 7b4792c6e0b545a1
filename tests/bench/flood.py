"""`python -m tests.bench.flood`: one customer uploads 500 versions at once, five others one model each.

Prints the seconds from each of the others' uploads to its verdict and to SERVING, before the flood and
in it, and what became of the flood.
"""

import json
import os
import shutil
import statistics
import tempfile
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from infra.demo.fleet import Fleet, until
from infra.local import stack
from infra.local.layout import Options
from tests.bench.evidence import Mark
from tests.support import models

_CLIENTS = 24
_PATIENCE = 300.0
_OTHERS = 5
_EVERY = 0.1
_FLOODER = "flooder"


def main() -> None:
    scratch = Path(tempfile.mkdtemp(prefix="berth-flood-"))
    try:
        models.root()
        with stack.start(scratch / "stack", Options(owner=os.getpid())) as running:
            os.environ.update(running.environment)
            fleet = Fleet(running.environment)
            until("two replicas of two shards", lambda: len(fleet.replicas.ready()) >= 4)
            print(json.dumps(measure(running, fleet), indent=1), flush=True)
            fleet.close()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def measure(running: stack.Stack, fleet: Fleet) -> dict[str, Any]:
    others = [f"{when}-{number}" for when in ("calm", "flooded") for number in range(_OTHERS)]
    for customer in (*others, _FLOODER):
        fleet.sign_up(customer, plan="free")
    for customer in (*others, _FLOODER):
        until(
            f"{customer}.starter", lambda c=customer: fleet.serving(f"{c}.starter", 1), seconds=120
        )
    calm = [_served(fleet, customer) for customer in others[:_OTHERS]]
    mark, began = Mark.now(running), time.monotonic()
    with ThreadPoolExecutor(_CLIENTS) as pool:
        sent = [pool.submit(*job) for job in _flood(fleet)]
        until("half of the flood", lambda: _done(sent) >= len(sent) / 2, seconds=_PATIENCE)
        flooded = [_served(fleet, customer) for customer in others[_OTHERS:]]
        for future in sent:
            future.result()
    passes = mark.passes("admit_model")
    return {
        "objects": len(sent),
        "calm": _summary(calm),
        "flooded": _summary(flooded),
        "seconds": round(time.monotonic() - began, 1),
        "deliveries": {part: len(mark.passes(part)) for part in ("on_upload", "admit_model")},
        "longest_delivery": max(entry["seconds"] for entry in passes),
        "verdicts": Counter(entry.get("reason", "")[:40] for entry in passes).most_common(6),
        "each_flooded": [[round(value, 1) for value in one] for one in flooded],
        "others_deliveries": _of_others(passes),
        "not_taken_at_once": mark.redelivered(),
        "load": round(os.getloadavg()[0], 1),
    }


def _flood(fleet: Fleet) -> list[tuple[Any, ...]]:
    """200 good versions of two models, 100 that are refused, 100 incomplete, 100 of no version's name."""
    good = models.model("half_plus_two") / "1"
    jobs: list[tuple[Any, ...]] = []
    for n in range(1, 101):
        jobs += [(fleet.upload, good, f"{_FLOODER}/{model}/{n}") for model in ("one", "two")]
        jobs.append((fleet.write, f"{_FLOODER}/one/{1000 + n}/saved_model.pb", "no graph"))
        jobs.append((_without_weights, fleet, good, f"{_FLOODER}/two/{1000 + n}"))
        jobs.append((fleet.write, f"{_FLOODER}/Not A Name/{n}/x", "junk"))
    return jobs


def _without_weights(fleet: Fleet, folder: Path, prefix: str) -> None:
    fleet.upload(folder, prefix, only=lambda name: "data-" not in name)


def _done(sent: list[Future[None]]) -> int:
    return sum(future.done() for future in sent)


def _served(fleet: Fleet, customer: str) -> tuple[float, float]:
    """Upload one model; the seconds until its verdict, and until it serves."""
    fleet.upload(models.model("half_plus_two") / "1", f"{customer}/own/1")
    began = time.monotonic()
    name = f"{customer}/own/1"
    until(
        "a verdict",
        lambda: (fleet.verdict(name) or {}).get("state") == "ADMITTED",
        seconds=_PATIENCE,
        every=_EVERY,
    )
    judged = time.monotonic() - began
    served = lambda: fleet.serving(f"{customer}.own", 1)  # noqa: E731
    until("it serves", served, seconds=_PATIENCE, every=_EVERY)
    return judged, time.monotonic() - began


def _of_others(passes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The others' admissions: when each ended, how long it took, how much of that was the probe."""
    first = passes[0]["at"]
    return [
        {
            "version": entry["version"],
            "ended": round(entry["at"] - first, 1),
            "seconds": round(entry["seconds"], 1),
            "probe_seconds": round(entry.get("probe_seconds", 0.0), 1),
            "reason": entry.get("reason", ""),
        }
        for entry in passes
        if entry.get("version", "").startswith("flooded-")
    ]


def _summary(found: list[tuple[float, float]]) -> dict[str, list[float]]:
    """Median and worst."""
    kinds = zip(("verdict_seconds", "serving_seconds"), zip(*found, strict=True), strict=True)
    return {k: [round(statistics.median(v), 1), round(max(v), 1)] for k, v in kinds}


if __name__ == "__main__":
    main()
