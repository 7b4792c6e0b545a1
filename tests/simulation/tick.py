"""`python -m tests.simulation.tick [--models N] [--shards N]`: one idle tick, its requests, seconds, memory.

Over the memory twins it counts listings by pages of 1,000 objects, as Cloud Storage answers them. With
`--emulator` the same fleet lies in fake-gcs-server, and the tick runs in a process of its own.
"""

import argparse
import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from berth import events
from berth.adapters import gcs
from berth.adapters.clock import SystemClock
from berth.adapters.memory import MemoryPublisher
from berth.adapters.memory_objects import MemoryBuckets
from berth.adapters.outbox import PublishedOutbox, Topics, Writing
from berth.app.collecting import Collecting
from berth.app.reconcile_fleet import ReconcileFleet
from berth.domain.fleet import FirstShards
from berth.domain.requests import FleetTick
from tests.simulation import still
from tests.support import emulators

PAGE = 1000
BUCKETS = ("uploads", "models", "control")


class Watched:
    """An object store that counts its requests: by kind, and listings by their pages."""

    def __init__(self, store) -> None:
        self.store, self.counts = store, Counter()

    def __getattr__(self, kind):
        call = getattr(self.store, kind)

        def counted(*args, **options):
            answer = call(*args, **options)
            self.counts[kind] += 1
            if kind in ("list", "folders"):
                self.counts["pages"] += max(1, math.ceil(len(answer) / PAGE))
            return answer

        return counted


def tick(stores, clock, *, shards: int) -> dict[str, object]:
    """Tick once; what it asked for, and how long it took."""
    watched = {name: Watched(store) for name, store in stores.items()}
    outbox = PublishedOutbox(
        MemoryPublisher(),
        Topics("events", "admissions", "shards"),
        Writing(events.encode, events.encode_request, events.encode_shard),
        clock,
    )
    fleet = ReconcileFleet(
        watched["uploads"],
        watched["control"],
        outbox,
        clock,
        FirstShards(shards, 2, 4, 1 << 30, 200),
        Collecting(watched["models"], watched["control"], clock),
    )
    began, computed = time.perf_counter(), time.process_time()
    outcome = fleet.handle(FleetTick(message="m", sweep=False))
    return {
        "outcome": outcome.word,
        "actions": outcome.actions,
        "seconds": round(time.perf_counter() - began, 3),
        "cpu_seconds": round(time.process_time() - computed, 3),
        "requests": dict(sum((one.counts for one in watched.values()), Counter())),
        "requested": len(outbox.publisher.messages["shards"]),
    }


def over_twins(models: int, shards: int) -> dict[str, object]:
    """Fill the twins and tick."""
    clock = SystemClock()
    buckets = MemoryBuckets(clock)
    stores = {name: buckets.store(name) for name in BUCKETS}
    still.fill(stores["control"], models=models, shards=shards, now=clock.now())
    return tick(stores, clock, shards=shards)


def over_emulator(models: int, shards: int) -> dict[str, object]:
    """Fill fake-gcs-server; tick in a fresh process, whose memory is the function's."""
    with tempfile.TemporaryDirectory() as folder, emulators.cloud_storage(Path(folder)) as url:
        client = _client(url)
        for name in BUCKETS:
            client.create_bucket(name)
        store = gcs.GcsObjectStore(client, "control")
        still.fill(store, models=models, shards=shards, now=SystemClock().now())
        command = [sys.executable, "-m", __spec__.name, "--shards", str(shards), "--at", url]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return json.loads(done.stdout.splitlines()[-1])


def at(url: str, shards: int) -> dict[str, object]:
    """Tick against a server that is filled already."""
    client = _client(url)
    stores = {name: gcs.GcsObjectStore(client, name) for name in BUCKETS}
    before = _peak_mib()
    found = tick(stores, SystemClock(), shards=shards)
    return found | {"mib_before": before, "peak_mib": _peak_mib()}


def _client(url: str):
    import os

    os.environ["STORAGE_EMULATOR_HOST"] = url
    return gcs.client("berth", anonymous=True)


def _peak_mib() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", type=int, default=10_000)
    parser.add_argument("--shards", type=int, default=100)
    parser.add_argument("--emulator", action="store_true")
    parser.add_argument("--at", default="")
    given = parser.parse_args()
    if given.at:
        found = at(given.at, given.shards)
    else:
        measure = over_emulator if given.emulator else over_twins
        found = measure(given.models, given.shards)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
