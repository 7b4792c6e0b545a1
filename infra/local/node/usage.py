"""What processes have used, and at what rate: figures for `kubectl top` and the autoscaler."""

import contextlib
import threading
import time
from dataclasses import dataclass

import psutil

from infra.local.node.cgroups import Group

MIN_WINDOW = 2.0  # seconds; a shorter window says more of the scheduler than of the load


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds since the start of one run of a container, and its bytes now."""

    identity: str
    cpu: float
    memory: int
    age: float


@dataclass(frozen=True, slots=True)
class Rate:
    """CPUs used on average over `window` seconds."""

    cpus: float
    window: float


def read(identity: str, pid: int, group: Group | None) -> Usage | None:
    """Read a container's figures; None if it has just ended."""
    try:
        leader = psutil.Process(pid)
        pids = group.processes() if group else [pid, *(c.pid for c in leader.children(True))]
        age = time.time() - leader.create_time()
    except psutil.NoSuchProcess:
        return None
    cpu, memory = 0.0, 0
    for each in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(each)
            cpu += sum(process.cpu_times()[:4])  # its own and its reaped children's
            memory += 0 if group else process.memory_info().rss
    return Usage(identity, cpu, group.working_set() if group else memory, age)


class Rates:
    """Remembers the last sample of each container; asked, it answers from the time since then."""

    def __init__(self) -> None:
        """Start without samples."""
        self._samples: dict[str, tuple[float, float, Rate]] = {}
        self._lock = threading.Lock()

    def rate(self, used: Usage) -> Rate:
        """Return the rate since the last sample, at first since the container's start."""
        at = time.monotonic()
        with self._lock:
            before = self._samples.get(used.identity)
            if before is None:
                window, spent = max(used.age, 0.1), used.cpu
            elif at - before[0] < MIN_WINDOW:
                return before[2]
            else:
                window, spent = at - before[0], used.cpu - before[1]
            rate = Rate(max(0.0, spent) / window, window)
            self._samples[used.identity] = (at, used.cpu, rate)
            return rate

    def forget(self, others_than: set[str]) -> None:
        """Drop the samples of containers that are gone."""
        with self._lock:
            for identity in self._samples.keys() - others_than:
                del self._samples[identity]
