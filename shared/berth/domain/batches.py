"""Which loads begin together: a slow one must not hold the reload mutex against many quick ones.

A reload returns when every *name* that it adds is AVAILABLE or END, and no other reload begins
before that (TF Serving's config mutex); the server begins about ten loads a second and runs
--num_load_threads of them side by side.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

QUICK_SECONDS = 2.0
BATCH = 50  # about five seconds of TF Serving's ten loads a second
SLOW_LOADS = 2  # of four load threads: the others are left to quick ones
PATIENCE_SECONDS = 30.0
PATIENCE_LOADS = 4


@dataclass(frozen=True, slots=True)
class Load:
    """A version that is to be loaded: how long that took in the probe, since when it waits.

    `alone`: a process ended when it was loaded with others.
    """

    name: str
    number: int
    seconds: float
    waiting_since: datetime
    alone: bool = False

    @property
    def slow(self) -> bool:
        """Whether quick ones should not wait for it."""
        return self.seconds > QUICK_SECONDS


Key = tuple[str, int]


def begin(
    waiting: Sequence[Load], loading: Sequence[Load], *, now: datetime, trial: bool = False
) -> frozenset[Key]:
    """Return the loads to begin now, by name and number.

    `loading` are under way. While one of them is `alone`, or `trial` says that one such was announced
    a moment ago, nothing else of the suspects begins. Quick loads go first, slow ones when they
    have waited long or none is left, suspects last and one at a time.
    """
    if any(load.alone for load in loading):
        return frozenset()
    usual = sorted((w for w in waiting if not w.alone), key=_order)
    room = max(0, SLOW_LOADS - sum(load.slow for load in loading))
    slow = [load for load in usual if load.slow][:room]
    overdue = [load for load in slow if _overdue(load, now)]
    quick = [load for load in usual if not load.slow][:BATCH]
    chosen = overdue or quick or slow
    if not usual and not loading and not trial:
        chosen = sorted((w for w in waiting if w.alone), key=_order)[:1]
    return frozenset((load.name, load.number) for load in chosen)


def _order(load: Load) -> tuple[float, str, int]:
    return (load.seconds, load.name, load.number)


def _overdue(load: Load, now: datetime) -> bool:
    waited = (now - load.waiting_since).total_seconds()
    return waited > max(PATIENCE_SECONDS, PATIENCE_LOADS * load.seconds)


def held(begun: frozenset[Key], waiting: Sequence[Load]) -> Mapping[str, frozenset[int]]:
    """Return what waits for its turn, by name."""
    found: dict[str, set[int]] = {}
    for load in waiting:
        if (load.name, load.number) not in begun:
            found.setdefault(load.name, set()).add(load.number)
    return {name: frozenset(numbers) for name, numbers in found.items()}
