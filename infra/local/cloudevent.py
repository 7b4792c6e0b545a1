"""Turns a Pub/Sub push envelope into the binary CloudEvent that Eventarc would send. Pure."""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

MESSAGE = "google.cloud.pubsub.topic.v1.messagePublished"
FINALIZED = "google.cloud.storage.object.v1.finalized"
# Printable ASCII that the CloudEvents HTTP binding leaves as it is in a header value.
_PLAIN = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')


class EnvelopeError(ValueError):
    """The body is not a push envelope, or its message is no notification of a bucket."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event as it goes to a function: its message id, its headers and its body."""

    message_id: str
    headers: Mapping[str, str]
    body: bytes


def from_topic(body: bytes, topic: str) -> Delivery:
    """The event of a message on `topic` (a full resource name). Raises EnvelopeError."""
    envelope, message = _open(body)
    headers = {
        "ce-type": MESSAGE,
        "ce-source": f"//pubsub.googleapis.com/{topic}",
        "ce-time": str(message.get("publishTime", "")),
    }
    return _delivery(message, headers, json.dumps(envelope).encode())


def from_bucket(body: bytes) -> Delivery:
    """The event of a bucket's notification. Raises EnvelopeError."""
    _, message = _open(body)
    attributes = message.get("attributes") or {}
    try:
        bucket, name = attributes["bucketId"], attributes["objectId"]
        data = base64.b64decode(message.get("data", ""), validate=True)
    except (KeyError, binascii.Error) as error:
        raise EnvelopeError(f"not a notification of a bucket: {error}") from error
    headers = {
        "ce-type": FINALIZED,
        "ce-source": f"//storage.googleapis.com/projects/_/buckets/{bucket}",
        "ce-subject": f"objects/{name}",
        "ce-bucket": bucket,
        "ce-time": attributes.get("eventTime") or str(message.get("publishTime", "")),
    }
    return _delivery(message, headers, data)


def _open(body: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        envelope = json.loads(body)
        message = envelope["message"]
        message["messageId"]
    except (ValueError, TypeError, KeyError) as error:
        raise EnvelopeError(f"not a push envelope: {error}") from error
    return envelope, message


def _delivery(message: Mapping[str, Any], headers: dict[str, str], body: bytes) -> Delivery:
    identity = str(message["messageId"])
    headers |= {"ce-specversion": "1.0", "ce-id": identity}
    encoded = {name: quote(value, safe=_PLAIN) for name, value in headers.items() if value}
    return Delivery(identity, {**encoded, "content-type": "application/json"}, body)
