"""Many uploads and as many sign-ups at once: when all serve, what was written, what came twice."""

import itertools
import json
import random
import re
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from berth.adapters.tfserving import GrpcModelServers
from berth.domain.observation import AVAILABLE
from infra import functions
from infra.demo.fleet import Fleet
from infra.local.stack import Stack
from tests.bench import evidence, memory
from tests.bench.evidence import Mark, Writes
from tests.bench.served import percentile
from tests.support import models

COUNT = 100
_CLIENTS = 16
_PATIENCE = 240.0  # and a second more for each sign-up with its upload
_LOOK = 0.25
_SEED = 20261121
# What an object of the control and models buckets is, by its name.
_KINDS = {
    r"admissions/": "admission",
    r"ledgers/": "ledger",
    r"routes/": "routes",
    r"models/": "model document",
    r"customers/": "account",
    r"shards/[^/]+/models/": "projection",
    r"shards/[^/]+/lease.json": "shard lease",
    r"shards/[^/]+/live/": "live config",
    r"shards/[^/]+/boot/": "boot config",
    r"shards/[^/]+/status.json": "shard status",
}


def measure(stack: Stack, fleet: Fleet, *, count: int = COUNT) -> dict[str, Any]:
    """Publish and upload everything at once; return when the last one serves."""
    environment = stack.environment
    buckets = (environment["BERTH_CONTROL_BUCKET"], environment["BERTH_MODELS_BUCKET"])
    writes, mark = Writes.watch(environment, *buckets), Mark.now(stack)
    customers = [f"burst-{number}" for number in range(count)]
    began = time.monotonic()
    wanted = {f"{customer}.{model}" for customer in customers for model in ("starter", "own")}
    with memory.Peaks(stack) as peaks:
        with ThreadPoolExecutor(1) as pool:
            sending = pool.submit(_send, fleet, customers)
            served = _wait(fleet, wanted, began)
            sent = sending.result()
        _quiet(stack, mark)
    lost = sorted(wanted - _available(fleet, wanted))
    return {
        "uploads": count,
        "sign_ups": count,
        "sent_seconds": sent,
        "served_seconds": {
            "first": min(served.values(), default=0.0),
            "p50": percentile(list(served.values()), 0.5) if served else 0.0,
            "all": max(served.values(), default=0.0),
        },
        "lost": lost,
        "dead_letters": evidence.dead_letters(environment, tuple(_driven().values())),
        "writes": _by_kind(writes.take()),
        "redelivered": mark.redelivered(),
        "delivered_twice": _twice(mark),
        "passes": {name: _outcomes(mark, name) for name in _driven()},
        "storage_requests": dict(mark.requests()),
        "peak_mib": peaks.mib(),
    }


def _send(fleet: Fleet, customers: list[str]) -> float:
    """Sign-ups and uploads in any order, from many clients; the seconds it took."""
    folder = models.model("half_plus_two") / "1"
    jobs = [(fleet.sign_up, (customer,)) for customer in customers]
    jobs += [(fleet.upload, (folder, f"{customer}/own/1")) for customer in customers]
    random.Random(_SEED).shuffle(jobs)
    began = time.monotonic()
    with ThreadPoolExecutor(_CLIENTS) as pool:
        for future in [pool.submit(do, *arguments) for do, arguments in jobs]:
            future.result()
    return time.monotonic() - began


def _wait(fleet: Fleet, wanted: set[str], began: float) -> dict[str, float]:
    """When each servable was first said to serve, in seconds since the beginning."""
    served: dict[str, float] = {}
    patience = _PATIENCE + len(wanted) / 2
    while time.monotonic() - began < patience and len(served) < len(wanted):
        for name, record in _records(fleet, _shards(fleet)).items():
            if name in wanted and record["state"] == "SERVING":
                served.setdefault(name, time.monotonic() - began)
        time.sleep(_LOOK)
    return served


def _shards(fleet: Fleet) -> list[str]:
    """All shards there are: a burst may make the fleet grow."""
    blobs = fleet.control.list_blobs(prefix="shards/", delimiter="/")
    for _ in blobs.pages:
        pass
    return sorted(prefix.split("/")[1] for prefix in blobs.prefixes)


def _records(fleet: Fleet, shards: list[str]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for shard in shards:
        blob = fleet.control.get_blob(f"shards/{shard}/status.json")
        if blob is not None:
            found |= json.loads(blob.download_as_bytes())["models"]
    return found


def _quiet(stack: Stack, mark: Mark, seconds: float = 2.0) -> None:
    """Wait until no function has ended a pass for a while: what follows the last model is counted too."""
    before, since = -1, time.monotonic()
    while time.monotonic() - since < seconds:
        now = sum(len(mark.text(name)) for name in ("on_upload", "admit_model", "reconcile_shard"))
        if now != before:
            before, since = now, time.monotonic()
        time.sleep(_LOOK)


def _available(fleet: Fleet, wanted: set[str]) -> set[str]:
    """Servables that every ready replica of their shard serves, as the servers say."""
    servers, found = GrpcModelServers(), set()
    by_shard = defaultdict(set)
    for blob in fleet.control.list_blobs(prefix="models/"):
        name = blob.name.removeprefix("models/").removesuffix(".json")
        if name in wanted:
            by_shard[blob.metadata["shard"]].add(name)
    for shard, names in by_shard.items():
        reports = [
            servers.statuses(replica.address, sorted(names), timeout=20)
            for replica in fleet.replicas.ready(shard)
        ]
        found |= {n for n in names if reports and all(_serves(r.get(n, {})) for r in reports)}
    servers.close()
    return found


def _serves(versions: Mapping[int, Any]) -> bool:
    return any(status.state == AVAILABLE for status in versions.values())


def _by_kind(writes: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    """Objects, writes, the most writes to one object, and the closest two writes to one in seconds."""
    counts, gaps = defaultdict(list), defaultdict(list)
    for name, times in writes.items():
        kind = _kind(name)
        counts[kind].append(len(times))
        gaps[kind] += [later - earlier for earlier, later in itertools.pairwise(times)]
    return {
        kind: {
            "objects": len(numbers),
            "writes": sum(numbers),
            "per_object": round(sum(numbers) / len(numbers), 2),
            "most": max(numbers),
            "closest_seconds": round(min(gaps[kind]), 3) if gaps[kind] else 0.0,
        }
        for kind, numbers in sorted(counts.items())
    }


def _kind(name: str) -> str:
    bucket, _, path = name.partition("/")
    if bucket.endswith("models"):
        return "promoted file"
    return next((kind for pattern, kind in _KINDS.items() if re.match(pattern, path)), path)


def _twice(mark: Mark) -> dict[str, int]:
    """Events that a function saw more than once, by their ids in its log."""
    found = {}
    for name in _driven():
        seen = Counter(line["event_id"] for line in mark.passes(name) if "event_id" in line)
        found[name] = sum(count - 1 for count in seen.values() if count > 1)
    return {name: count for name, count in found.items() if count}


def _outcomes(mark: Mark, function: str) -> dict[str, int]:
    return dict(Counter(line["outcome"] for line in mark.passes(function)))


def _driven() -> dict[str, str]:
    """The functions that events drive, each with its topic."""
    rows = functions.read()
    topics = {name: row.topic for name, row in rows.items() if row.retry is not None}
    return {name: topic for name, topic in topics.items() if topic is not None}
