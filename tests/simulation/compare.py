"""Rules of placement on the same streams: shards used against the lower bound, evenness, bytes moved."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from statistics import mean

from berth.domain import placement
from berth.domain.footprint import Footprint
from tests.simulation import packing, streams

SEEDS = (7, 8, 9, 10, 11)
MODELS = 5000
EVERY = 100  # events between two samples
TICK = 20  # events between two ticks
RULES: dict[str, Callable[[int], packing.Fleet]] = {
    "Berth": lambda seed: packing.Fleet(packing.berth, homes=True),
    "Berth, shards made ahead": lambda seed: packing.Fleet(packing.berth, homes=True, ahead=True),
    "best fit": lambda seed: packing.Fleet(packing.best_fit),
    "first fit": lambda seed: packing.Fleet(packing.first_fit),
    "worst fit": lambda seed: packing.Fleet(packing.worst_fit),
    "hash, 20 points": lambda seed: packing.Ring(20, seed=seed),
    "hash, 200 points": lambda seed: packing.Ring(200, seed=seed),
}


@dataclass(slots=True)
class Run:
    """One rule on one stream. `ratio` and `hottest` by phase; `series` are (event, shards, lower bound)."""

    rule: str
    seed: int
    ratio: dict[str, float] = field(default_factory=dict)
    reserved: dict[str, float] = field(default_factory=dict)
    hottest: dict[str, float] = field(default_factory=dict)
    series: list[tuple[int, int, float]] = field(default_factory=list)
    numbers: dict[str, float] = field(default_factory=dict)


def all_runs(seeds: Sequence[int] = SEEDS, models: int = MODELS) -> dict[str, list[Run]]:
    """Run every rule on every stream."""
    found = defaultdict(list)
    with ProcessPoolExecutor(2) as pool:
        jobs = [pool.submit(run, rule, seed, models) for rule in RULES for seed in seeds]
        for job in jobs:
            found[job.result().rule].append(job.result())
    return found


def run(rule: str, seed: int, models: int) -> Run:
    """Run one rule on one stream to its end, and free what can be freed."""
    fleet, made, sizes = RULES[rule](seed), Run(rule, seed), dict[str, Footprint]()
    phase = "growth"
    for number, event in enumerate(streams.life(seed, models)):
        if event.phase != phase:
            _note(made, phase, fleet, sizes)
            phase = event.phase
        if event.footprint is not None:
            sizes[event.model] = event.footprint
            fleet.came(event.model, event.customer, event.footprint)
        else:
            del sizes[event.model]
            fleet.went(event.model)
        if number % TICK == 0:
            fleet.tick()
        if number % EVERY == 0:
            made.series.append((number, _used(fleet), packing.lower_bound(list(sizes.values()))))
    _note(made, phase, fleet, sizes)
    fleet.free()
    _note(made, "freed", fleet, sizes)
    gigabyte = 1e9
    made.numbers = {
        "added": fleet.added,
        "freed": fleet.freed,
        "moved an added": fleet.moved_to_add / gigabyte / max(1, fleet.added),
        "moved a freed": fleet.moved_to_free / gigabyte / max(1, fleet.freed),
        "versions without room": fleet.relieved,
        "moved for them": fleet.moved_to_relieve / gigabyte,
    }
    return made


def averaged(runs: Sequence[Run]) -> Run:
    """The means of one rule's runs."""
    made = Run(runs[0].rule, 0, series=runs[0].series)
    made.ratio = {p: mean(r.ratio[p] for r in runs) for p in runs[0].ratio}
    made.reserved = {p: mean(r.reserved[p] for r in runs) for p in runs[0].reserved}
    made.hottest = {p: mean(r.hottest[p] for r in runs) for p in runs[0].hottest}
    made.numbers = {n: mean(r.numbers[n] for r in runs) for n in runs[0].numbers}
    return made


def _note(made: Run, phase: str, fleet: packing.Fleet, sizes: dict[str, Footprint]) -> None:
    held = [b.held for b in fleet.bins.values() if b.models]
    footprints = list(sizes.values())
    made.ratio[phase] = _used(fleet) / packing.lower_bound(footprints)
    made.reserved[phase] = _used(fleet) / reserved_bound(footprints)
    made.hottest[phase] = max(held) / mean(held)


def reserved_bound(footprints: Sequence[Footprint]) -> float:
    """The lower bound with what no shard may do without: room for its largest loads in parallel.

    The least that n shards can keep for that: the largest together on one shard, those that come after them
    on the next, as many on each as it may have.
    """
    held = sum(one.resident_bytes for one in footprints)
    extra = sorted((max(0, f.peak_bytes - f.resident_bytes) for f in footprints), reverse=True)
    usable = packing.BOUND - placement.BASE_BYTES
    shards = packing.lower_bound(footprints)
    for _ in range(20):
        kept = [
            sum(extra[n * packing.MAX_MODELS :][: placement.PARALLEL_LOADS])
            for n in range(int(shards) + 1)
        ]
        shards = max(
            (held + sum(kept[: int(shards)])) / usable, len(footprints) / packing.MAX_MODELS
        )
    return shards


def _used(fleet: packing.Fleet) -> int:
    return len(fleet.bins) if fleet.ahead else sum(1 for b in fleet.bins.values() if b.models)
