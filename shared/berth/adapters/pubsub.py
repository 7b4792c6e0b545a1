"""Pub/Sub through google-cloud-pubsub."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from google import pubsub_v1 as service
from google.api_core import exceptions
from google.api_core.retry import Retry, if_exception_type
from google.cloud import pubsub_v1

from berth.adapters.google_errors import translated
from berth.domain.errors import Denied

TIMEOUT = 10.0
RETRY = Retry(
    predicate=if_exception_type(
        exceptions.Aborted,
        exceptions.DeadlineExceeded,
        exceptions.InternalServerError,
        exceptions.ResourceExhausted,
        exceptions.ServiceUnavailable,
        exceptions.Unknown,
    ),
    initial=0.1,
    maximum=2.0,
    timeout=20.0,
)
# What one request may hold.
MESSAGES = 1000
BYTES = 9_000_000


def client() -> pubsub_v1.PublisherClient:
    """Return a client for many threads; the SDK finds an emulator itself."""
    return pubsub_v1.PublisherClient()


class PubSubPublisher:
    """Publishes at once: the SDK's batching would only add delay to a message now and then."""

    def __init__(self, client: pubsub_v1.PublisherClient) -> None:
        """Take a client; nothing is asked of the service yet."""
        self._client = client

    def publish(self, topic: str, data: bytes, attributes: Mapping[str, str] | None = None) -> None:
        """Publish one message in one request."""
        self._send(topic, [{"data": data, "attributes": dict(attributes or {})}])

    def publish_all(self, topic: str, messages: Iterable[bytes]) -> None:
        """Publish many messages in as few requests as the service takes."""
        for chunk in _chunks(messages):
            self._send(topic, [{"data": data} for data in chunk])

    def _send(self, topic: str, messages: list[dict[str, Any]]) -> None:
        with translated(f"publish to {topic}"):
            try:
                # The generated call beneath the batching one: the same channel, no thread between.
                service.PublisherClient.publish(
                    self._client, topic=topic, messages=messages, timeout=TIMEOUT, retry=RETRY
                )
            except exceptions.NotFound as error:
                raise Denied(f"the topic {topic} is missing") from error


def _chunks(messages: Iterable[bytes]) -> Iterator[list[bytes]]:
    chunk: list[bytes] = []
    size = 0
    for data in messages:
        if chunk and (len(chunk) == MESSAGES or size + len(data) > BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(data)
        size += len(data)
    if chunk:
        yield chunk
