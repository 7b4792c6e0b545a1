"""Pub/Sub in the local stack: Google's emulator, the topics and the functions' subscriptions."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from infra.functions import Function
from infra.local import http
from infra.local.delivery import ACK_DEADLINE
from infra.local.part import Part

# What Berth publishes that no function subscribes to, with a pull subscription of its own.
READ_BY_OTHERS = ("model-events",)
_KEPT = "604800s"


@dataclass(frozen=True, slots=True)
class Project:
    """Where the emulator is ("host:port") and the project its names belong to."""

    host: str
    name: str

    def topic(self, name: str) -> str:
        """The topic's full resource name."""
        return f"projects/{self.name}/topics/{name}"

    def subscription(self, name: str) -> str:
        """The subscription's full resource name."""
        return f"projects/{self.name}/subscriptions/{name}"

    def put(self, resource: str, body: dict[str, object]) -> None:
        """Create a resource of the emulator."""
        http.send("PUT", f"http://{self.host}/v1/{resource}", body)


def part(java: Path, jar: Path, folder: Path, port: int) -> Part:
    """The emulator; it keeps everything in memory, and would log each header of each request."""
    folder.mkdir()
    logging = folder / "logging.properties"
    logging.write_text("handlers=java.util.logging.ConsoleHandler\n.level=WARNING\n")
    return Part(
        name="pubsub",
        argv=(
            *(str(java), "-Xmx512m", f"-Djava.util.logging.config.file={logging}"),
            *("-jar", str(jar)),
            *("--host=127.0.0.1", f"--port={port}"),
        ),
        ready=lambda: http.answers(f"http://127.0.0.1:{port}/"),
        restart=True,
    )


def create(project: Project, functions: Iterable[Function], also: Iterable[str]) -> None:
    """Topics, the functions' subscriptions, and dead-letter topics that keep what they get.

    `also` names topics that are published to, whether or not a function reads them.
    """
    functions = tuple(functions)
    for name in {*also, *filter(None, (one.topic for one in functions))}:
        project.put(project.topic(name), {})
    for name in READ_BY_OTHERS:
        project.put(project.topic(name), {})
        _pull(project, f"{name}-local", name)
    for function in functions:
        topic = function.topic
        if topic is None or function.retry is None:
            continue
        dead = f"{topic}-dead"
        project.put(project.topic(dead), {})
        _pull(project, dead, dead)
        body = {
            "topic": project.topic(topic),
            "ackDeadlineSeconds": ACK_DEADLINE,
            "messageRetentionDuration": _KEPT,
            "deadLetterPolicy": {
                "deadLetterTopic": project.topic(dead),
                "maxDeliveryAttempts": function.retry.attempts,
            },
        }
        project.put(project.subscription(function.subscription), body)


def _pull(project: Project, name: str, topic: str) -> None:
    body: dict[str, object] = {
        "topic": project.topic(topic),
        "ackDeadlineSeconds": 60,
        "messageRetentionDuration": _KEPT,
    }
    project.put(project.subscription(name), body)
