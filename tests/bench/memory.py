"""The most memory that each function's instances held at once, looked at while something else is measured."""

import threading
from types import TracebackType

import psutil

from infra import functions
from infra.local.stack import Stack

_LOOK = 0.1


class Peaks:
    """Looks at every instance until the end of the block."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._most: dict[str, int] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Peaks":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def mib(self) -> dict[str, float]:
        """By function: the resident memory of the largest instance, its children included, in MiB.

        Pages that processes share count once for each: a container holds a little less.
        """
        return {name: most / 1024**2 for name, most in sorted(self._most.items())}

    def _watch(self) -> None:
        table = functions.read()
        while not self._ended.wait(_LOOK):
            for part, pid in self._stack.parts.items():
                name = part.rpartition("-")[0] or part
                if name in table:
                    self._most[name] = max(self._most.get(name, 0), _resident(pid))


def _resident(pid: int) -> int:
    """Bytes of a process and of all below it; what ends meanwhile counts as nothing."""
    try:
        own = psutil.Process(pid)
        tree = [own, *own.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    total = 0
    for one in tree:
        try:
            total += one.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total
