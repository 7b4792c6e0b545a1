"""Sharing one answer among those who asked for it before its look began: a burst costs two looks."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Shared(Generic[T]):
    """A look that is expensive, one at a time. Nobody gets an answer that is older than the question."""

    def __init__(self, look: Callable[[], T]) -> None:
        """`look` takes nothing and may raise; what it raises goes to whoever made it look."""
        self._look = look
        self._lock = threading.Lock()
        self._begun = 0
        self._answer: tuple[int, T] | None = None

    def __call__(self) -> T:
        """Return the answer of a look that began after this call did."""
        asked = self._begun
        with self._lock:
            if self._answer is not None and self._answer[0] > asked:
                return self._answer[1]
            self._begun += 1
            answer = self._look()
            self._answer = (self._begun, answer)
            return answer
