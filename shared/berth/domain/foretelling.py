"""What the fleet's next tick would do, why, and what that costs, as a document.

Bytes are what servers load from the models bucket, by measured resident bytes. Seconds are those of
loading (domain/loads.py). Dollars are the difference a month at list prices; null where there is none.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Literal

from berth.domain.canonical import Document
from berth.domain.prices import Prices

SHOWN_STEPS = 1000

Kind = Literal[
    "create",
    "repair",
    "restart",
    "place",
    "drop",
    "move",
    "cut over",
    "give up",
    "rehome",
    "drain",
    "take back",
    "remove",
    "clear",
]


class Step(Document):
    """One thing that the tick would do.

    `subject` is a shard or a model, `shard` where the work is. `kind` is how the function's log calls it.
    """

    kind: Kind
    subject: str
    shard: str
    reason: str
    bytes: int = 0
    seconds: float = 0.0
    dollars_a_month: float | None = 0.0


class Totals(Document):
    """All steps together, those that are not shown too.

    `seconds` are those of the shard that is busy the longest: shards work side by side. `dollars_a_month` is
    null where a step has no price.
    """

    steps: dict[str, int]
    bytes: int
    seconds: float
    dollars_a_month: float | None


class Basis(Document):
    """What the dollars are counted with. `machine` is a serving node's type; `dates` of the prices used."""

    currency: str
    region: str
    machine: str
    dates: tuple[str, ...]
    verified: bool


class Foretold(Document):
    """A tick's plan at one moment (RFC 3339). `left_out` steps are counted but not shown.

    `blocked` says what holds back what is due, `late` are shards whose restart did not come back,
    `unknown` what cannot be told from the control bucket.
    """

    at: str
    steps: tuple[Step, ...]
    left_out: int
    totals: Totals
    blocked: str
    late: tuple[str, ...]
    unknown: tuple[str, ...]
    basis: Basis | None


UNKNOWN = (
    "what the sweep of each hour does in the inbox and with bytes that nothing names",
    "how long nodes and pods take to start",
    "what each shard's own pass does: ask for the plan of a shard",
)


def totals(steps: Sequence[Step]) -> Totals:
    """Add steps up."""
    busy: dict[str, float] = defaultdict(float)
    for step in steps:
        busy[step.shard] += step.seconds
    return Totals(
        steps=dict(sorted(Counter(step.kind for step in steps).items())),
        bytes=sum(step.bytes for step in steps),
        seconds=round(max(busy.values(), default=0.0), 3),
        dollars_a_month=_sum(step.dollars_a_month for step in steps),
    )


def _sum(amounts: Iterable[float | None]) -> float | None:
    listed = list(amounts)
    known = [amount for amount in listed if amount is not None]
    return round(sum(known), 2) if len(known) == len(listed) else None


def basis(prices: Prices, machine: str) -> Basis | None:
    """Return what a replica's price is made from; None for a machine that has none."""
    node = prices.machines.get(machine)
    if node is None:
        return None
    used = (node, prices.prices["disk"])
    return Basis(
        currency=node.currency,
        region=node.region,
        machine=machine,
        dates=tuple(sorted({price.date for price in used})),
        verified=all(price.verified for price in used),
    )
