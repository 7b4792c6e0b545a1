"""What it takes to load versions onto servers: bytes, and seconds worked out from measured loads.

TF Serving's manager takes one action every 100 ms (`manage_state_interval_micros`, set in
tensorflow_serving/model_servers/server_core.cc) and runs loads side by side on its threads.
"""

from collections.abc import Iterable

from berth.domain.footprint import Footprint
from berth.domain.placement import PARALLEL_LOADS

TICK_SECONDS = 0.1
LOAD_THREADS = 4  # --num_load_threads in k8s/shard/deployment.yaml


def resident_bytes(footprints: Iterable[Footprint]) -> int:
    """Return what one server holds of these versions when they are loaded."""
    return sum(one.resident_bytes for one in footprints)


def live_seconds(footprints: Iterable[Footprint]) -> float:
    """Return how long a running server takes to load these versions."""
    return _seconds(footprints, LOAD_THREADS)


def boot_seconds(footprints: Iterable[Footprint]) -> float:
    """Return how long a starting server takes to load these versions: it has more threads then."""
    return _seconds(footprints, PARALLEL_LOADS)


def _seconds(footprints: Iterable[Footprint], threads: int) -> float:
    """At least a tick for each load, at least the longest one, at least all of them over the threads."""
    seconds = [one.load_seconds for one in footprints]
    if not seconds:
        return 0.0
    return max(len(seconds) * TICK_SECONDS, max(seconds), sum(seconds) / threads)
