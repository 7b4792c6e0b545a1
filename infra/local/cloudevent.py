"""Turns a Pub/Sub message into the binary CloudEvent that Eventarc would send. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MESSAGE = "google.cloud.pubsub.topic.v1.messagePublished"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event as it goes to a function."""

    headers: Mapping[str, str]
    body: bytes


def published(message: Mapping[str, Any], topic: str, subscription: str) -> Delivery:
    """The event of a message, as a pull returns it, on `topic` (full resource names).

    No header holds what a publisher chose: attributes and data are in the body, as JSON.
    """
    identity, time = str(message["messageId"]), str(message.get("publishTime", ""))
    # Pub/Sub's push writes both spellings.
    both = {**message, "message_id": identity, "publish_time": time}
    headers = {
        "ce-specversion": "1.0",
        "ce-type": MESSAGE,
        "ce-source": f"//pubsub.googleapis.com/{topic}",
        "ce-id": identity,
        "ce-time": time,
        "content-type": "application/json",
    }
    return Delivery(headers, json.dumps({"subscription": subscription, "message": both}).encode())
