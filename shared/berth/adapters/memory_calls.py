"""What every memory twin has: its calls are counted, and a test may fail each before or after its effect."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Hook = Callable[[str, str], None]


class Called:
    """A twin whose calls can be watched.

    `calls` counts the calls that arrived by kind. `before` and `after`, when set, are called with
    (kind, name) before each call and when it has had its effect; what they raise is the failure of
    the call. They may change the world, as a rival would.
    """

    def __init__(self) -> None:
        """Start unwatched."""
        self.calls: Counter[str] = Counter()
        self.before: Hook | None = None
        self.after: Hook | None = None
        self._counting = threading.Lock()

    @contextmanager
    def _called(self, kind: str, name: str) -> Iterator[None]:
        with self._counting:
            self.calls[kind] += 1
        if self.before:
            self.before(kind, name)
        yield
        if self.after:
            self.after(kind, name)
