"""What a check is, and how it says that a claim does not hold."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infra.smoke.target import Target


class Disproved(AssertionError):
    """The claim does not hold, or could not be looked at; the text says what was seen."""


@dataclass(frozen=True, slots=True)
class Check:
    """A claim about a real deployment.

    `why` says why no local stack can prove it; `prove` looks, returns what it saw in one line, and
    raises Disproved.
    """

    id: str
    claim: str
    why: str
    prove: Callable[["Target"], str]


def until(what: str, holds: Callable[[], object], *, seconds: float, every: float = 1.0) -> float:
    """Look again and again until it holds; returns the seconds it took. Raises Disproved."""
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > seconds:
            raise Disproved(f"{what}: not within {seconds:.0f} s")
        time.sleep(every)
    return time.monotonic() - began
