"""A burst: as many sign-ups as uploads at once, onto shards that have room, and onto two that have not.

The bound is what cannot be beaten with the same probes and servers: all probes' work over the instances there are,
or, where that is longer, the loads of the fullest server; one model's own way comes on top of either.
"""

import random
from dataclasses import dataclass, field
from functools import partial
from statistics import median

import structlog

from berth.domain.fleet import FirstShards
from berth.domain.footprint import Footprint
from tests.simulation import kernel, loop, servers
from tests.simulation.fleet import PROBES, Fleet
from tests.simulation.priced import Costs

GIB, MIB = 1024**3, 1024**2
SHARD = (2, 4, 4 * GIB, 200, 1000)
TINY = Footprint(resident_bytes=5 * MIB, peak_bytes=6 * MIB, load_seconds=0.05)
BOOT = 60.0
PATIENCE = 1200.0


@dataclass(slots=True)
class Found:
    """What a burst showed, in simulated seconds."""

    count: int
    room: bool
    first: float = 0.0
    half: float = 0.0
    all: float = 0.0
    bound: float = 0.0
    lost: int = 0
    shards: int = 0
    refused: int = 0
    retried: dict[str, int] = field(default_factory=dict)
    busiest: dict[str, int] = field(default_factory=dict)
    series: list[tuple[float, int]] = field(default_factory=list)


def run(count: int, *, room: bool, costs: Costs | None = None, spread: float = 0.0) -> Found:
    """Boot, burst (sent over `spread` seconds), wait until all serve."""
    structlog.configure(processors=[loop.dropped])
    kernel.pools_in_simulated_time()
    needed = -(-2 * count * 5 // (4 * SHARD[3])) if room else 2
    fleet, found = Fleet(FirstShards(max(2, needed), *SHARD), costs), Found(count, room)
    fleet.tick()
    fleet.kernel.run(BOOT)
    began, began_at = fleet.kernel.now, fleet.kernel.time
    wanted = _send(fleet, count, spread)
    served: dict[str, float] = {}
    while len(served) < len(wanted) and fleet.kernel.now < began + PATIENCE:
        fleet.kernel.run(fleet.kernel.now + 5)
        for at, kind, name, _ in fleet.announced:
            if kind == "model.serving" and name in wanted:
                served.setdefault(name, at - began)
    times = sorted(served.values())
    found.first, found.half, found.all = times[0], median(times), times[-1]
    found.series = [(at, number + 1) for number, at in enumerate(times)][
        :: max(1, len(times) // 200)
    ]
    found.lost, found.shards = len(wanted) - len(served), len(fleet.cluster.shards)
    found.bound = bound(fleet)
    found.retried, found.refused = dict(fleet.retried), len(fleet.refused)
    found.busiest = fleet.control.busiest(began_at)
    return found


def bound(fleet: Fleet) -> float:
    """The least time in which the probes and the servers can be done, and one model's own way."""
    probing = fleet.probe_seconds / (fleet.costs.processors or PROBES)
    loading = max(_loading(server) for server in fleet.servers.by_address.values())
    own = fleet.costs.child + TINY.load_seconds + servers.POLL / 2 + servers.TICK
    return max(probing, loading) + own


def _loading(server: servers.Server) -> float:
    """One load begins every 100 ms, four are under way."""
    work = sum(
        spell.available - spell.loading
        for spells in server.spells.values()
        for spell in spells.values()
    )
    count = sum(map(len, server.spells.values()))
    return max(count * servers.TICK, work / servers.LOAD_THREADS)


def _send(fleet: Fleet, count: int, spread: float) -> set[str]:
    jobs = [(number, own) for number in range(count) for own in (False, True)]
    random.Random(1).shuffle(jobs)
    now = fleet.kernel.now
    for place, (number, own) in enumerate(jobs):
        customer = f"burst-{number}"
        send = (
            partial(fleet.upload, f"{customer}/own/1", TINY)
            if own
            else partial(fleet.sign_up, customer)
        )
        fleet.kernel.at(now + spread * place / len(jobs), send)
    return {f"burst-{number}.{model}" for number in range(count) for model in ("starter", "own")}
