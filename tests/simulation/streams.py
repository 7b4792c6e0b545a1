"""Seeded streams of what happens to a fleet's models: sign-ups, uploads, new sizes, deletions.

Sizes are log-normal with a median of 40 MB; what a load needs beyond is 10 to 60 % of that. A customer
has a starter of 1.5 MB and some models of its own, a geometric number with a mean of four.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from berth.domain.footprint import Footprint

MEDIAN = 40_000_000
SIGMA = 1.0
STARTER = Footprint(resident_bytes=1_500_000, peak_bytes=2_000_000, load_seconds=0.02)
# A load reads and initialises about 150 MB a second (InceptionV3: 185 MB in 1.4 s, docs/bench.md's machine).
BYTES_A_SECOND = 150_000_000


@dataclass(frozen=True, slots=True)
class Event:
    """What happens to one model: it comes with a size, changes its size, or goes (no size).

    `phase` names the part of the stream.
    """

    phase: str
    model: str
    customer: str
    footprint: Footprint | None


def size(dice: random.Random) -> Footprint:
    """Draw what a model needs."""
    resident = int(dice.lognormvariate(0.0, SIGMA) * MEDIAN)
    peak = int(resident * dice.uniform(1.1, 1.3))
    return Footprint(
        resident_bytes=resident, peak_bytes=peak, load_seconds=resident / BYTES_A_SECOND
    )


def life(seed: int, models: int) -> Iterator[Event]:
    """Growth to `models`, then churn of as many models again, then the loss of four in ten."""
    dice = random.Random(seed)
    alive: dict[str, str] = {}
    arrivals = _arrivals(dice)
    while len(alive) < models:
        yield _came("growth", next(arrivals), alive)
    for _ in range(models):
        if dice.random() < 0.3:  # a new version of another size
            name = dice.choice(list(alive))
            yield Event("churn", name, alive[name], size(dice))
        elif len(alive) > models:
            yield _went("churn", dice, alive)
        else:
            yield _came("churn", next(arrivals), alive)
    for _ in range(len(alive) * 4 // 10):
        yield _went("decline", dice, alive)


def _arrivals(dice: random.Random) -> Iterator[tuple[str, str, Footprint]]:
    """Models as they come: of customers who signed up lately, mixed."""
    waiting: list[tuple[str, str, Footprint]] = []
    number = 0
    while True:
        while len(waiting) < 40:
            customer = f"c{number}"
            number += 1
            yield f"{customer}.starter", customer, STARTER
            count = 1
            while dice.random() < 0.75:
                count += 1
            waiting += [(f"{customer}.m{n}", customer, size(dice)) for n in range(count)]
        yield waiting.pop(dice.randrange(len(waiting)))


def _came(phase: str, arrival: tuple[str, str, Footprint], alive: dict[str, str]) -> Event:
    name, customer, footprint = arrival
    alive[name] = customer
    return Event(phase, name, customer, footprint)


def _went(phase: str, dice: random.Random, alive: dict[str, str]) -> Event:
    name = dice.choice(list(alive))
    return Event(phase, name, alive.pop(name), None)
