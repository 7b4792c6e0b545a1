"""CloudEvents in and out: the only module that knows their shape.

In come Eventarc's events of a Pub/Sub message, which may be a bucket's notification, a CloudEvent
or plain JSON; out go structured JSON CloudEvents.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from cloudevents.conversion import to_json
from cloudevents.http import CloudEvent

from berth.domain import keys, names, quotas
from berth.domain.errors import InvalidEvent
from berth.domain.model_events import PREFIX, Outgoing
from berth.domain.names import BadName, ModelName, VersionName
from berth.domain.requests import (
    AdmissionRequest,
    CustomerEvent,
    CustomerEventKind,
    FleetTick,
    ShardRequest,
    Subject,
    Uploaded,
)

__all__ = ["CloudEvent"]
SOURCE = "//berth.dev/control-plane"
FINALIZED = "OBJECT_FINALIZE"
MAX_BYTES = 64 * 1024
KINDS: Mapping[str, CustomerEventKind] = {
    "customer.signed_up": "signed_up",
    "customer.plan_changed": "plan_changed",
    "customer.keys_changed": "keys_changed",
    "customer.closed": "closed",
    "model.deleted": "model.deleted",
}


def uploaded(event: CloudEvent) -> Uploaded:
    """Read a bucket's notification from a Pub/Sub message. Raises InvalidEvent.

    Its attributes tell all that counts: https://cloud.google.com/storage/docs/pubsub-notifications
    """
    attributes = _message(event).get("attributes")
    if not isinstance(attributes, Mapping) or "eventType" not in attributes:
        raise InvalidEvent("the message is no notification of a bucket")
    if (kind := attributes["eventType"]) != FINALIZED:
        raise InvalidEvent(f"the notification is of {str(kind)[:60]!a}, not of {FINALIZED}")
    bucket, name = _text(attributes, "bucketId"), _text(attributes, "objectId")
    generation = _text(attributes, "objectGeneration")
    if not generation.isascii() or not generation.isdigit() or len(generation) > 19:
        raise InvalidEvent(f"the object's generation is no number: {generation[:60]!a}")
    return Uploaded(bucket, name, int(generation))


def customer_event(event: CloudEvent) -> CustomerEvent:
    """Read a customer's event from a Pub/Sub message. Raises InvalidEvent naming what is wrong."""
    message = _message(event)
    body = _json(message)
    keys.refuse_clear(body)
    revision = body.get("time") if "specversion" in body else None
    payload = body.get("data") if "specversion" in body else body
    if not isinstance(payload, Mapping):
        raise InvalidEvent("the event's data is not a JSON object")
    kind = _kind(body.get("type"))
    version = payload.get("version")
    made = CustomerEvent(
        kind=kind,
        customer=names.customer(_text(payload, "customer")),
        revision=_revision(revision or message.get("publishTime") or message.get("publish_time")),
        plan=_text(payload, "plan") if kind in ("signed_up", "plan_changed") else "",
        model=_text(payload, "model") if kind == "model.deleted" else "",
        version=names.version(str(version)) if version is not None else None,
        keys=keys.told(payload) if kind == "keys_changed" else (),
        pool=_pool(payload) if kind in ("signed_up", "plan_changed") else None,
    )
    if made.plan:
        quotas.quota(made.plan)
    if made.model:
        names.model(made.customer, made.model)
    return made


def _pool(payload: Mapping[str, Any]) -> str | None:
    """The pool that an event tells, "" for the common one; None where it tells none."""
    told = payload.get("pool")
    if told is not None and not (
        isinstance(told, str) and (not told or names.LABEL.fullmatch(told))
    ):
        raise InvalidEvent(f"pool {str(told)[:60]!a} is not a valid name")
    return told


def admission_request(event: CloudEvent) -> AdmissionRequest:
    """Read one of our own requests for an admission. Raises InvalidEvent."""
    message = _message(event)
    body = _json(message)
    if "answer" in body:
        return AdmissionRequest(
            BadName(_text(body, "answer"), _text(body, "reason")), _identity(message)
        )
    model = names.model(_text(body, "customer"), _text(body, "model"))
    subject: Subject = model
    if body.get("version") is not None:
        subject = VersionName(model, names.version(str(body["version"])))
    return AdmissionRequest(subject, _identity(message))


def shard_request(event: CloudEvent) -> ShardRequest:
    """Read one of our own requests for a pass. Raises InvalidEvent."""
    message = _message(event)
    shard = _text(_json(message), "shard")
    if not names.LABEL.fullmatch(shard):
        raise InvalidEvent(f"shard {shard[:60]!a} is not a valid name")
    return ShardRequest(shard, _identity(message))


def fleet_tick(event: CloudEvent) -> FleetTick:
    """Read Cloud Scheduler's tick: `{}` or `{"sweep": true}`. Raises InvalidEvent."""
    message = _message(event)
    return FleetTick(_identity(message), sweep=_json(message).get("sweep") is True)


def encode_request(subject: Subject) -> bytes:
    """Write a request for an admission."""
    if isinstance(subject, BadName):
        return _dump({"answer": subject.answer, "reason": subject.reason})
    if isinstance(subject, ModelName):
        return _dump({"customer": subject.customer, "model": subject.model})
    model = subject.model
    return _dump({"customer": model.customer, "model": model.model, "version": subject.number})


def encode_shard(shard: str) -> bytes:
    """Write a request for a pass over a shard."""
    return _dump({"shard": shard})


def encode(outcome: Outgoing, *, at: datetime) -> bytes:
    """Write an outcome as a structured JSON CloudEvent."""
    attributes = {
        "type": outcome.type,
        "source": SOURCE,
        "id": outcome.id,
        "subject": outcome.servable,
        "time": at.isoformat(),
    }
    written: bytes = to_json(CloudEvent(attributes, outcome.data()))
    return written


def _message(event: CloudEvent) -> Mapping[str, Any]:
    data = event.get_data()
    message = data.get("message") if isinstance(data, Mapping) else None
    if not isinstance(message, Mapping):
        raise InvalidEvent("the event has no Pub/Sub message")
    return message


def _json(message: Mapping[str, Any]) -> Mapping[str, Any]:
    encoded = message.get("data") or ""
    if not isinstance(encoded, str):
        raise InvalidEvent("the message is not JSON")
    if len(encoded) > MAX_BYTES:
        raise InvalidEvent(f"the message has more than {MAX_BYTES} bytes")
    try:
        text = base64.b64decode(encoded, validate=True)
        body = json.loads(text) if text else {}
    except (binascii.Error, TypeError, ValueError, RecursionError) as error:
        raise InvalidEvent("the message is not JSON") from error
    if not isinstance(body, Mapping):
        raise InvalidEvent("the message is not a JSON object")
    return _binary(message, body)


def _binary(message: Mapping[str, Any], body: Mapping[str, Any]) -> Mapping[str, Any]:
    """A CloudEvent in binary mode has its attributes as message attributes."""
    attributes = message.get("attributes") or {}
    if not isinstance(attributes, Mapping) or "ce-type" not in attributes:
        return body
    return {
        "specversion": attributes.get("ce-specversion", "1.0"),
        "type": attributes["ce-type"],
        "time": attributes.get("ce-time"),
        "data": body,
    }


def _kind(value: object) -> CustomerEventKind:
    text = value.removeprefix(PREFIX) if isinstance(value, str) else ""
    if text in KINDS:
        return KINDS[text]
    known = ", ".join(KINDS)
    raise InvalidEvent(f"unknown event type {str(value)[:60]!a}: one of {known}")


def _text(body: Mapping[str, Any], key: str) -> str:
    value = body.get(key)
    if not isinstance(value, str) or not value:
        raise InvalidEvent(f"the event lacks {key!r}, or it is not a text")
    return value


def _revision(value: object) -> str:
    """Return a time in one spelling, so that revisions compare as texts."""
    try:
        moment = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
        if moment.tzinfo is None:
            raise InvalidEvent("the event's time has no zone")
        return moment.astimezone(UTC).isoformat(timespec="microseconds")
    except (ValueError, OverflowError) as error:
        raise InvalidEvent("the event's time is not RFC 3339") from error


def _identity(message: Mapping[str, Any]) -> str:
    identity = message.get("messageId") or message.get("message_id")
    if not isinstance(identity, str) or not identity:
        raise InvalidEvent("the message has no id")
    return identity


def _dump(body: Mapping[str, object]) -> bytes:
    return json.dumps(body, sort_keys=True).encode()
