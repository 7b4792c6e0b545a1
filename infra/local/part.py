"""A part of the local stack: one process, how it is started and how it is seen to be ready."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Part:
    """One process of the stack.

    `ready` is polled until it returns True; it returns False while the part starts and raises only
    for bugs. `user` names an unprivileged account to run as when the stack runs as root.
    """

    name: str
    argv: tuple[str, ...]
    ready: Callable[[], bool]
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
