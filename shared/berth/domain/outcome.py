"""What use cases report: handlers a word that completes "it is ..." and the facts for one log line,
those that answer questions a value, or a text of some kind.
"""

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


@dataclass(frozen=True, slots=True)
class Text:
    """An answer that is no JSON, and its media type."""

    body: str
    kind: str = "text/plain; charset=utf-8"
