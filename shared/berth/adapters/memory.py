"""Memory twins of the small ports: publisher, probe and clock, behaving as the cloud."""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from berth.adapters.memory_calls import Called
from berth.domain.probing import ProbeReport, ProbeRequest


@dataclass(frozen=True, slots=True)
class Message:
    """One published message."""

    data: bytes
    attributes: Mapping[str, str] = field(default_factory=dict)


class MemoryPublisher(Called):
    """Keeps what was published in `messages`, by topic and in order.

    A call of `before` and `after` (see Called) names the topic. Many messages are stored one by one.
    """

    def __init__(self) -> None:
        """Start with no messages."""
        super().__init__()
        self.messages: dict[str, list[Message]] = defaultdict(list)
        self._lock = threading.Lock()

    def publish(self, topic: str, data: bytes, attributes: Mapping[str, str] | None = None) -> None:
        """Keep one message."""
        with self._called("publish", topic):
            self._keep(topic, Message(data, dict(attributes or {})))

    def publish_all(self, topic: str, messages: Iterable[bytes]) -> None:
        """Keep many messages; a failure in the middle leaves those before it."""
        for data in messages:
            with self._called("publish_all", topic):
                self._keep(topic, Message(data))

    def take(self, topic: str) -> list[Message]:
        """Return the topic's messages and forget them, as a subscriber would."""
        with self._lock:
            return self.messages.pop(topic, [])

    def _keep(self, topic: str, message: Message) -> None:
        with self._lock:
            self.messages[topic].append(message)


class MemoryProbe(Called):
    """Answers with what `verdict` returns or raises, and keeps the requests.

    A call of `before` and `after` (see Called) names the version's folder.
    """

    def __init__(self, verdict: Callable[[ProbeRequest], ProbeReport]) -> None:
        """Take the judge."""
        super().__init__()
        self.verdict = verdict
        self.requests: list[ProbeRequest] = []

    def probe(self, request: ProbeRequest) -> ProbeReport:
        """Judge one version."""
        with self._called("probe", request.prefix):
            self.requests.append(request)
            return self.verdict(request)


class MemoryClock(Called):
    """Time that passes only while somebody sleeps.

    Each of `on_sleep` is called with the seconds slept, after they passed, so that the world can
    move while the code under test waits. A call of `before` and `after` (see Called) is a "sleep".
    """

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        """Start at a given time, in UTC."""
        super().__init__()
        self._now = start
        self._lock = threading.Lock()
        self.on_sleep: list[Callable[[float], None]] = []

    def now(self) -> datetime:
        """Return the time, in UTC."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Let time pass at once, then move the world."""
        with self._called("sleep", ""):
            self.advance(seconds)
            for move in self.on_sleep:
                move(seconds)

    def advance(self, seconds: float) -> None:
        """Let time pass without moving the world."""
        with self._lock:
            self._now += timedelta(seconds=max(0.0, seconds))
