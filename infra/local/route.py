"""What the relay is told of each function, as JSON in its configuration file."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from infra.functions import Function


@dataclass(frozen=True, slots=True)
class Route:
    """One function; times in seconds. Without a subscription it is called over HTTP.

    `topic` and `subscription` are full resource names.
    """

    name: str
    addresses: list[str]
    concurrency: int
    timeout: float
    subscription: str = ""
    topic: str = ""
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
    topic, retry = function.topic, function.retry
    return Route(
        name=function.name,
        addresses=[f"http://127.0.0.1:{port}" for port in ports],
        concurrency=function.concurrency,
        timeout=function.timeout,
        subscription=f"projects/{project}/subscriptions/{function.subscription}" if topic else "",
        topic=f"projects/{project}/topics/{topic}" if topic else "",
        minimum_backoff=retry.minimum_backoff if retry else 0,
        maximum_backoff=retry.maximum_backoff if retry else 0,
    )
