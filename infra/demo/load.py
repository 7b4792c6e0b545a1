"""A steady load that retries nothing: at least 50 predictions a second, every answer checked."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import requests

from infra.demo.pace import Paced
from infra.demo.replicas import Replica

Targets = Callable[[], tuple[Replica, ...]]
Check = Callable[[dict[str, Any]], bool]


@dataclass
class Load(Paced):
    """Predictions at a fixed rate by a few workers.

    A non-200, a wrong body, a connection error or nobody to ask counts as a failure.
    """

    servable: str
    body: bytes
    targets: Targets
    check: Check
    headers: Mapping[str, str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    answered: Counter[str] = field(default_factory=Counter)

    def _send(self, times: Iterator[None]) -> None:
        with requests.Session() as session:
            for _ in times:
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
            answer = session.post(url, data=self.body, headers=self.headers, timeout=30)
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
