"""Turns a Pub/Sub message into the binary CloudEvent that Eventarc would send. Pure."""

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
    """The message has no id, or is no notification of a bucket."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event as it goes to a function: its message id, its headers and its body."""

    message_id: str
    headers: Mapping[str, str]
    body: bytes


def from_topic(message: Mapping[str, Any], topic: str, subscription: str) -> Delivery:
    """The event of a message on `topic` (full resource names). Raises EnvelopeError."""
    identity, published = _identity(message), str(message.get("publishTime", ""))
    # Pub/Sub's push writes both spellings.
    both = {**message, "message_id": identity, "publish_time": published}
    headers = {
        "ce-type": MESSAGE,
        "ce-source": f"//pubsub.googleapis.com/{topic}",
        "ce-time": published,
    }
    body = json.dumps({"subscription": subscription, "message": both}).encode()
    return _delivery(identity, headers, body)


def from_bucket(message: Mapping[str, Any]) -> Delivery:
    """The event of a bucket's notification. Raises EnvelopeError."""
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
    return _delivery(_identity(message), headers, data)


def _identity(message: Mapping[str, Any]) -> str:
    try:
        return str(message["messageId"])
    except KeyError as error:
        raise EnvelopeError("a message without messageId") from error


def _delivery(identity: str, headers: dict[str, str], body: bytes) -> Delivery:
    headers |= {"ce-specversion": "1.0", "ce-id": identity}
    encoded = {name: quote(value, safe=_PLAIN) for name, value in headers.items() if value}
    return Delivery(identity, {**encoded, "content-type": "application/json"}, body)
