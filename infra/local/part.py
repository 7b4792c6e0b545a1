"""A part of the local stack: one process, how it is started and how it is seen to be ready."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Part:
    """One process of the stack.

    `ready` is polled until it returns True; it returns False while the part starts and raises only
    for bugs. `user` is the unprivileged account to run as when the stack runs as root.
    `environment` is all that the process gets besides PATH and LANG. It starts once the parts and
    steps named in `after` are ready, and is stopped before them, with `grace` seconds to end by
    itself. With `restart` it is started again when it ends: after `mend` has put its files right, and
    once it is ready again `restored` gives back what it forgets; it raises RuntimeError or
    requests.RequestException where that fails, and is tried again.
    """

    name: str
    argv: tuple[str, ...]
    ready: Callable[[], bool]
    environment: Mapping[str, str] = field(default_factory=dict)
    user: int | None = None
    cwd: Path | None = None
    after: tuple[str, ...] = ()
    restart: bool = False
    mend: Callable[[], None] | None = None
    restored: Callable[[], None] | None = None
    grace: float = 10.0


@dataclass(frozen=True, slots=True)
class Step:
    """Something done once while the stack starts; `run` returns when it is done."""

    name: str
    run: Callable[[], None]
    after: tuple[str, ...] = ()
