"""What a handler reports: a word that completes "it is ..." and the facts for one log line."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Outcome:
    """converged: nothing to do. changed: something was done. deferred: somebody else does it, or later."""

    word: Literal["converged", "changed", "deferred"]
    actions: tuple[str, ...] = ()
    reason: str = ""
    shard: str = ""
    model: str = ""
    version: str = ""
