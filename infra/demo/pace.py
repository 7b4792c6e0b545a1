"""A fixed rate: a few threads that send when it is their time, and how much was really sent."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Self


@dataclass(kw_only=True)
class Paced:
    """Sends `rate` times a second by some threads; use as a context manager.

    Whoever derives from it says in `_send` what one thread does at each time of `_times`.
    """

    rate: float = 60.0
    workers: int = 3
    sent: int = 0
    began: float = 0.0
    ended: float = 0.0
    _stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _threads: list[threading.Thread] = field(default_factory=list)

    def _send(self, times: Iterator[None]) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        """Start sending."""
        self.began = time.monotonic()
        for number in range(self.workers):
            times = self._times(number)
            thread = threading.Thread(target=self._send, args=(times,), daemon=True)
            self._threads.append(thread)
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop sending and wait for the answers under way."""
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
        self.ended = time.monotonic()

    @property
    def per_second(self) -> float:
        """Requests a second that were really sent."""
        return self.sent / max(1e-9, (self.ended or time.monotonic()) - self.began)

    def _times(self, number: int) -> Iterator[None]:
        """Give one thread its times. A late request is sent at once, the schedule is not thinned out."""
        interval = self.workers / self.rate
        due = time.monotonic() + number * interval / self.workers
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            due += interval
            yield
