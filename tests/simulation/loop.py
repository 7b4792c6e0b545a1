"""The control loop at any size: a fleet that serves, and then arrivals, new versions, deletions and lost pods.

Rates are shares of the fleet's models a minute, so that all sizes live the same life.
"""

import random
import resource
import time
from collections import Counter
from dataclasses import dataclass, field

import structlog

from berth.domain import placement
from berth.domain.fleet import FirstShards
from tests.simulation import kernel, prefilled, streams
from tests.simulation.fleet import Fleet
from tests.simulation.prefilled import MODELS_A_CUSTOMER

GIB = 1024**3
FIRST = FirstShards(2, 2, 4, 16 * GIB, 200, 2000)
SETTLE, DRAIN = 180.0, 150.0
MINUTES = 5
# A minute's events, as shares of the models there are; at least one of each.
SIGN_UPS, NEW_MODELS, NEW_VERSIONS, DELETIONS = 0.001, 0.001, 0.002, 0.001
LOST_PODS = 0.01  # of all shards
SAMPLE = 30.0


@dataclass(slots=True)
class Found:
    """What one run showed. Times in simulated seconds but `took` and `cpu`."""

    models: int
    shards: int = 0
    replicas: int = 0
    minutes: int = MINUTES
    served: dict[str, list[float]] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)
    writes: dict[str, int] = field(default_factory=dict)
    idle_writes: int = 0
    busiest: dict[str, int] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
    retried: dict[str, int] = field(default_factory=dict)
    fullest: float = 0.0
    most_models: int = 0
    moved: int = 0
    took: float = 0.0
    cpu: float = 0.0
    peak_mib: float = 0.0


class Life:
    """The outside world of one run; `asked` maps what should serve to when it was sent."""

    def __init__(self, fleet: Fleet, names: list[str], seed: int) -> None:
        self.fleet, self.names = fleet, names
        self.dice = random.Random(seed)
        self.asked: dict[tuple[str, int], float] = {}
        self.newest: Counter[str] = Counter(dict.fromkeys(names, 1))
        self.customers = -(-len(names) // MODELS_A_CUSTOMER)
        self.signed_up: list[str] = []

    def minute(self) -> None:
        """Spread a minute's events over it."""
        count, now = len(self.names), self.fleet.kernel.now
        for share, act in (
            (SIGN_UPS, self._sign_up),
            (NEW_MODELS, self._new_model),
            (NEW_VERSIONS, self._new_version),
            (DELETIONS, self._delete),
        ):
            for _ in range(max(1, round(share * count))):
                self.fleet.kernel.at(now + self.dice.uniform(0, 60), act)
        shards = sorted(self.fleet.cluster.shards)
        for shard in self.dice.sample(shards, max(1, round(LOST_PODS * len(shards)))):
            self.fleet.kernel.at(now + self.dice.uniform(0, 60), lambda s=shard: self._lose(s))

    def _sign_up(self) -> None:
        customer = f"new{len(self.signed_up)}"
        self.signed_up.append(customer)
        self.fleet.sign_up(customer)
        self.asked[f"{customer}.starter", 1] = self.fleet.kernel.now

    def _new_model(self) -> None:
        customer = f"c{self.dice.randrange(self.customers)}"
        name = f"{customer}.n{len(self.asked)}"
        self.newest[name] = 0
        self.names.append(name)
        self._version(name)

    def _new_version(self) -> None:
        self._version(self.dice.choice(self.names))

    def _version(self, name: str) -> None:
        self.newest[name] += 1
        customer, _, model = name.partition(".")
        self.fleet.upload(f"{customer}/{model}/{self.newest[name]}", streams.size(self.dice))
        self.asked[name, self.newest[name]] = self.fleet.kernel.now

    def _delete(self) -> None:
        name = self.names.pop(self.dice.randrange(len(self.names)))
        for asked in [key for key in self.asked if key[0] == name]:
            del self.asked[asked]  # it may serve or not: its owner does not ask any more
        self.fleet.deleted(*name.split("."))

    def _lose(self, shard: str) -> None:
        pods = self.fleet.cluster.pods(shard)
        if pods:
            self.fleet.cluster.of(shard).kill(self.dice.choice(pods).name)
            self.fleet.cluster.stir(shard)


def run(models: int, *, minutes: int = MINUTES, settle: float = SETTLE, seed: int = 1) -> Found:
    """Fill, settle, live some minutes, drain."""
    structlog.configure(processors=[dropped])
    kernel.pools_in_simulated_time()
    began, computed = time.monotonic(), time.process_time()
    found = Found(models, minutes=minutes)
    fleet = Fleet(FIRST)
    names = prefilled.fill(fleet, models, seed=seed)
    life = Life(fleet, names, seed)
    fleet.tick()
    fleet.kernel.run(settle)
    before, placed = _state(fleet), _places(fleet)
    found.idle_writes = _idle_writes(fleet)
    began_at = fleet.kernel.time
    for _ in range(minutes):
        life.minute()
        _sampled(fleet, found, 60.0)
    _sampled(fleet, found, DRAIN)
    served = {(s, v): at for at, kind, s, v in fleet.announced if kind == "model.serving"}
    for (name, number), sent in life.asked.items():
        kind = "sign-up" if name.endswith(".starter") else "model" if number == 1 else "version"
        at = served.get((name, number))
        superseded = number < life.newest[name]
        if at is None and not superseded:
            found.lost.append(f"{name}/{number}")
        elif at is not None:
            found.served.setdefault(kind, []).append(at - sent)
    moved = [name for name, shard in _places(fleet).items() if placed.get(name, shard) != shard]
    found.moved = len(moved)
    found.writes = dict(_state(fleet) - before)
    found.busiest = fleet.control.busiest(began_at)
    found.calls, found.retried = dict(fleet.calls), dict(fleet.retried)
    found.shards = len(fleet.cluster.shards)
    found.replicas = len(fleet.servers.by_address)
    found.took, found.cpu = time.monotonic() - began, time.process_time() - computed
    found.peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return found


def _places(fleet: Fleet) -> dict[str, str]:
    return {stat.name: stat.metadata["shard"] for stat in fleet.control.list("models/")}


def _state(fleet: Fleet) -> Counter[str]:
    return Counter(fleet.control.counts)


def _idle_writes(fleet: Fleet) -> int:
    """Writes in a minute in which nothing happens."""
    before = sum(fleet.control.counts.values())
    fleet.kernel.run(fleet.kernel.now + 60)
    return sum(fleet.control.counts.values()) - before


def _sampled(fleet: Fleet, found: Found, seconds: float) -> None:
    until = fleet.kernel.now + seconds
    while fleet.kernel.now < until:
        fleet.kernel.run(min(until, fleet.kernel.now + SAMPLE))
        for server in fleet.servers.by_address.values():
            held = server.held(fleet.kernel.now)
            found.fullest = max(
                found.fullest, placement.needed_bytes(_sizes(fleet, held)) / FIRST.memory_bytes
            )
            found.most_models = max(found.most_models, len({name for name, _ in held}))


def _sizes(fleet: Fleet, held):
    for name, number in held:
        path = name.replace(".", "/", 1)
        yield fleet.footprints.get(f"{path}/{number}/", streams.STARTER)


def dropped(*_):
    raise structlog.DropEvent
