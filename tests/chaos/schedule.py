"""When what is killed: drawn from a seed. Pure."""

import random
from dataclasses import dataclass

FUNCTIONS = (
    "on_upload",
    "on_customer_event",
    "admit_model",
    "probe_model-1",
    "probe_model-2",
    "reconcile_shard",
    "reconcile_fleet",
    "status",
)
# What keeps the state or carries messages and requests: one of them at a time.
PLATFORM = (
    *("pubsub", "storage", "relay", "ticker"),
    *("etcd", "apiserver", "controller-manager", "scheduler", "node"),
    *("router", "envoy"),
)
# Every process of the local stack.
PARTS = (*FUNCTIONS, *PLATFORM)
PODS = ("pod killed", "pod deleted")
EVERYTHING = (*PARTS, *PODS)


@dataclass(frozen=True, slots=True, order=True)
class Kill:
    """One kill: seconds after the round's beginning, and what."""

    at: float
    target: str


def draw(seed: int, seconds: float, *, extra: int = 6, targets=EVERYTHING) -> tuple[Kill, ...]:
    """Every target once, and `extra` more functions, in random order at random times.

    Two kills are at least half the average pause apart, so that none is lost in another's shadow.
    """
    chance = random.Random(seed)
    chosen = [*targets, *chance.choices(FUNCTIONS, k=extra)]
    chance.shuffle(chosen)
    pause = seconds / len(chosen)
    return tuple(
        Kill(round((number + chance.uniform(0, 0.5)) * pause, 2), target)
        for number, target in enumerate(chosen)
    )
