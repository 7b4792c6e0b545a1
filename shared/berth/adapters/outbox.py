"""The outbox over any Publisher: three topics, and how each message is written."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from berth.domain.model_events import Outgoing
from berth.domain.requests import Subject
from berth.ports import Clock, Publisher


@dataclass(frozen=True, slots=True)
class Topics:
    """Full resource names."""

    events: str
    admissions: str
    shards: str


@dataclass(frozen=True, slots=True)
class Writing:
    """How values become bytes: berth.events knows, adapters do not."""

    outcome: Callable[..., bytes]
    admission: Callable[[Subject], bytes]
    shard: Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class PublishedOutbox:
    """Outbox that publishes."""

    publisher: Publisher
    topics: Topics
    writing: Writing
    clock: Clock

    def announce(self, *events: Outgoing) -> None:
        """See Outbox.announce."""
        at: datetime = self.clock.now()
        for event in events:
            self.publisher.publish(self.topics.events, self.writing.outcome(event, at=at))

    def request_admission(self, *subjects: Subject) -> None:
        """See Outbox.request_admission."""
        self._send(self.topics.admissions, [self.writing.admission(s) for s in subjects])

    def request_shards(self, *shards: str) -> None:
        """See Outbox.request_shards."""
        self._send(self.topics.shards, [self.writing.shard(shard) for shard in shards])

    def _send(self, topic: str, messages: list[bytes]) -> None:
        if len(messages) == 1:
            self.publisher.publish(topic, messages[0])
        elif messages:
            self.publisher.publish_all(topic, messages)
