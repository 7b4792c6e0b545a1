"""What the relay is told of each function, as JSON in its configuration file."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from infra.functions import BucketTrigger, Function, TopicTrigger

BUCKET = "bucket"


@dataclass(frozen=True, slots=True)
class Route:
    """One function; times in seconds. Without a subscription it is called over HTTP.

    `source` is the topic's full resource name, or BUCKET for a bucket's notifications.
    """

    name: str
    addresses: list[str]
    concurrency: int
    timeout: float
    subscription: str = ""
    source: str = ""
    minimum_backoff: float = 0
    maximum_backoff: float = 0


@dataclass(frozen=True, slots=True)
class Configuration:
    """The relay's own port, the Pub/Sub emulator's "host:port" and the functions."""

    port: int
    pubsub: str
    routes: list[Route]

    def write(self, path: Path) -> None:
        """Write the file."""
        path.write_text(json.dumps(asdict(self), indent=1))


def read(path: Path) -> Configuration:
    """The file's configuration."""
    raw = json.loads(path.read_text())
    return Configuration(raw["port"], raw["pubsub"], [Route(**one) for one in raw["routes"]])


def route(function: Function, ports: list[int], project: str) -> Route:
    """The route to a function whose instances listen at `ports`."""
    trigger, retry = function.trigger, function.retry
    source = BUCKET if isinstance(trigger, BucketTrigger) else ""
    if isinstance(trigger, TopicTrigger):
        source = f"projects/{project}/topics/{trigger.topic}"
    return Route(
        name=function.name,
        addresses=[f"http://127.0.0.1:{port}" for port in ports],
        concurrency=function.concurrency,
        timeout=function.timeout,
        subscription=f"projects/{project}/subscriptions/{function.subscription}" if source else "",
        source=source,
        minimum_backoff=retry.minimum_backoff if retry else 0,
        maximum_backoff=retry.maximum_backoff if retry else 0,
    )
