"""A steady load that retries nothing: at least 50 predictions a second, every answer checked."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import requests

from infra.demo.replicas import Replica

Targets = Callable[[], tuple[Replica, ...]]
Check = Callable[[dict[str, Any]], bool]


@dataclass(slots=True)
class Load:
    """Predictions at a fixed rate by a few workers; use as a context manager.

    A non-200, a wrong body, a connection error or nobody to ask counts as a failure.
    """

    servable: str
    body: bytes
    targets: Targets
    check: Check
    rate: float = 60.0
    workers: int = 3
    sent: int = 0
    failures: list[str] = field(default_factory=list)
    answered: Counter[str] = field(default_factory=Counter)
    began: float = 0.0
    ended: float = 0.0
    _stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> "Load":
        """Start sending."""
        self.began = time.monotonic()
        for number in range(self.workers):
            thread = threading.Thread(target=self._run, args=(number,), daemon=True)
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

    def _run(self, number: int) -> None:
        interval = self.workers / self.rate
        due = time.monotonic() + number * interval / self.workers
        with requests.Session() as session:
            while not self._stop.wait(max(0.0, due - time.monotonic())):
                # A late request is sent at once, the schedule is not thinned out.
                due += interval
                self._one(session)

    def _one(self, session: requests.Session) -> None:
        targets = self.targets()
        with self._lock:
            self.sent += 1
            turn = self.sent
        if not targets:
            self._fail("no replica is ready")
            return
        target = targets[turn % len(targets)]
        url = f"{target.url}/v1/models/{self.servable}:predict"
        try:
            answer = session.post(url, data=self.body, timeout=30)
            right = answer.status_code == 200 and self.check(answer.json())
        except (requests.RequestException, ValueError) as error:
            self._fail(f"{target.name}: {type(error).__name__}: {error}")
            return
        if right:
            with self._lock:
                self.answered[target.name] += 1
        else:
            self._fail(f"{target.name}: {answer.status_code} {answer.text[:200]}")

    def _fail(self, reason: str) -> None:
        with self._lock:
            self.failures.append(f"{time.monotonic() - self.began:.2f} s: {reason}")
