"""What a stack left behind that can be counted: log lines, storage requests, notifications."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from google.cloud import pubsub_v1

from infra.local import storage
from infra.local.stack import Stack

_REQUEST = re.compile(r'\\"(?P<verb>[A-Z]+) (?P<path>\S+) HTTP/1\.1\\" (?P<status>\d+)')
_PUT_OFF = re.compile(r"^(?P<function>\w+): message \d+, attempt \d+: (?P<status>\d+) ", re.M)
TOPIC = "bench-writes"
DEAD, EVENTS = "-dead", "model-events-local"


@dataclass(slots=True)
class Mark:
    """How long each log was at some moment."""

    stack: Stack
    sizes: dict[str, int]

    @classmethod
    def now(cls, stack: Stack) -> "Mark":
        """Note where every log ends."""
        logs = stack.folder.logs.glob("*.log")
        return cls(stack, {path.stem: path.stat().st_size for path in logs})

    def text(self, part: str) -> str:
        """What a part has logged since, whole lines."""
        with self.stack.log(part).open("rb") as log:
            log.seek(self.sizes.get(part, 0))
            text = log.read().decode(errors="replace")
        return text[: text.rfind("\n") + 1]

    def lines(self, function: str) -> Iterator[dict[str, Any]]:
        """A function's log lines since, with `at`: seconds since the epoch."""
        for line in self.text(function).splitlines():
            if line.startswith("{"):
                entry = json.loads(line)
                entry["at"] = datetime.fromisoformat(entry["time"]).timestamp()
                yield entry

    def passes(self, function: str) -> list[dict[str, Any]]:
        """A function's ended passes since."""
        return [entry for entry in self.lines(function) if entry["message"] == "pass"]

    def requests(self) -> Counter[str]:
        """Requests to Cloud Storage since: lists, gets, writes, lost races, by the emulator's log."""
        found: Counter[str] = Counter()
        for match in _REQUEST.finditer(self.text("storage")):
            found[_kind(match["verb"], match["path"], match["status"])] += 1
        return found

    def redelivered(self) -> dict[str, int]:
        """Messages that the relay put off, by function: each was delivered again."""
        found = Counter(
            f"{m['function']} {m['status']}" for m in _PUT_OFF.finditer(self.text("relay"))
        )
        return dict(sorted(found.items()))


def _kind(verb: str, path: str, status: str) -> str:
    if verb != "GET":
        return "lost races" if status == "412" else "writes"
    return "lists" if re.search(r"/o(\?|$)", path) else "gets"


@dataclass(slots=True)
class Writes:
    """Every write to a bucket from now on, as the emulator's notifications tell it."""

    subscriber: pubsub_v1.SubscriberClient
    subscription: str

    @classmethod
    def watch(cls, environment: dict[str, str], *buckets: str) -> "Writes":
        """Have finalized objects of the buckets published to a topic of ours."""
        project = environment["GOOGLE_CLOUD_PROJECT"]
        publisher, subscriber = pubsub_v1.PublisherClient(), pubsub_v1.SubscriberClient()
        topic = publisher.topic_path(project, TOPIC)
        subscription = subscriber.subscription_path(project, TOPIC)
        publisher.create_topic(name=topic)
        subscriber.create_subscription(name=subscription, topic=topic)
        for bucket in buckets:
            storage.notify(environment["STORAGE_EMULATOR_HOST"], bucket, topic)
        return cls(subscriber, subscription)

    def take(self) -> dict[str, list[float]]:
        """Times of the writes so far (seconds since the epoch), by object."""
        found: dict[str, set[int]] = {}
        for message in pull(self.subscriber, self.subscription):
            attributes = message.attributes
            name = f"{attributes['bucketId']}/{attributes['objectId']}"
            # Generations are microseconds; a notification that comes twice counts once.
            found.setdefault(name, set()).add(int(attributes["objectGeneration"]))
        return {name: sorted(g / 1e6 for g in times) for name, times in found.items()}


def pull(subscriber: pubsub_v1.SubscriberClient, subscription: str) -> Iterator[Any]:
    """Take all messages there are."""
    while True:
        answer = subscriber.pull(
            subscription=subscription, max_messages=1000, return_immediately=True, timeout=10
        )
        if not answer.received_messages:
            return
        ids = [received.ack_id for received in answer.received_messages]
        subscriber.acknowledge(subscription=subscription, ack_ids=ids)
        for received in answer.received_messages:
            yield received.message


def announced(environment: dict[str, str], kind: str, subject: str) -> dict[int, float]:
    """When model events of a kind were published, by version; takes all that wait to be read."""
    subscriber = pubsub_v1.SubscriberClient()
    name = subscriber.subscription_path(environment["GOOGLE_CLOUD_PROJECT"], EVENTS)
    found = {}
    for message in pull(subscriber, name):
        event = json.loads(message.data)
        if event["type"] == kind and event["subject"] == subject:
            found[event["data"]["version"]] = message.publish_time.timestamp()
    return found


def dead_letters(environment: dict[str, str], topics: tuple[str, ...]) -> int:
    """How many messages were given up."""
    subscriber = pubsub_v1.SubscriberClient()
    project = environment["GOOGLE_CLOUD_PROJECT"]
    names = [subscriber.subscription_path(project, topic + DEAD) for topic in topics]
    return sum(len(list(pull(subscriber, name))) for name in names)
