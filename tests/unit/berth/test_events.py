"""Events in and out: what parses, what is refused and why, and that what goes out is a CloudEvent."""

import base64
import contextlib
import json
from datetime import UTC, datetime

import pytest
from cloudevents.http import CloudEvent, from_json
from hypothesis import given, settings
from hypothesis import strategies as st

from berth import events
from berth.domain.errors import InvalidEvent
from berth.domain.model_events import ModelEvent, TrainingRequested
from berth.domain.names import BadName, ModelName, VersionName
from berth.domain.requests import CustomerEvent, FleetTick, ShardRequest, Uploaded

NAME = ModelName("acme", "digits")
TIME = "2026-01-01T00:00:00.000000+00:00"
EVENT = {"type": "test", "source": "test", "id": "1"}
SIGN_UP = {"type": "customer.signed_up", "customer": "acme", "plan": "free"}


def pubsub(body, **message):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    full = {
        "data": base64.b64encode(raw).decode(),
        "messageId": "m1",
        "publishTime": "2026-01-01T00:00:00Z",
        **message,
    }
    return CloudEvent(EVENT, {"message": {k: v for k, v in full.items() if v is not None}})


def structured(**changes):
    data = {"customer": "acme", "plan": "free"}
    whole = {"specversion": "1.0", "type": "customer.signed_up", "time": TIME, "data": data}
    return {k: v for k, v in (whole | changes).items() if v is not None}


@pytest.mark.parametrize(
    ("event", "kind", "revision"),
    [
        (pubsub(SIGN_UP), "signed_up", TIME),
        (pubsub(SIGN_UP | {"type": "dev.berth.customer.signed_up"}), "signed_up", TIME),
        (pubsub(SIGN_UP | {"unknown": {"more": 1}}), "signed_up", TIME),
        (pubsub(SIGN_UP, publishTime=None, publish_time="2026-01-01T00:00:00Z"), "signed_up", TIME),
        (pubsub(structured()), "signed_up", TIME),
        (pubsub(structured(time="2026-01-01T02:00:00+02:00")), "signed_up", TIME),
        (pubsub(structured(time=None)), "signed_up", TIME),
        (pubsub(structured(type="customer.plan_changed")), "plan_changed", TIME),
        (
            pubsub(
                {"customer": "acme", "plan": "free"},
                attributes={"ce-type": "customer.signed_up", "ce-time": "2026-01-01T00:00:00Z"},
            ),
            "signed_up",
            TIME,
        ),
    ],
)
def test_a_customer_event_in_any_of_its_dresses(event, kind, revision):
    assert events.customer_event(event) == CustomerEvent(kind, "acme", revision, plan="free")


@pytest.mark.parametrize(
    ("body", "made"),
    [
        ({"type": "customer.closed", "customer": "acme"}, CustomerEvent("closed", "acme", TIME)),
        (
            {"type": "model.deleted", "customer": "acme", "model": "digits"},
            CustomerEvent("model.deleted", "acme", TIME, model="digits"),
        ),
        (
            {"type": "model.deleted", "customer": "acme", "model": "digits", "version": 2},
            CustomerEvent("model.deleted", "acme", TIME, model="digits", version=2),
        ),
        (
            {"type": "model.deleted", "customer": "acme", "model": "digits", "version": "2"},
            CustomerEvent("model.deleted", "acme", TIME, model="digits", version=2),
        ),
    ],
)
def test_goodbyes(body, made):
    assert events.customer_event(pubsub(body)) == made


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (CloudEvent(EVENT, None), "no Pub/Sub message"),
        (CloudEvent(EVENT, {"message": "x"}), "no Pub/Sub message"),
        (CloudEvent(EVENT, b"bytes"), "no Pub/Sub message"),
        (pubsub(b"not json"), "not JSON"),
        (pubsub(b"\xff\xff"), "not JSON"),
        (pubsub(b"[" * 30_000), "not JSON"),
        (pubsub(b"[1]"), "not a JSON object"),
        (pubsub(SIGN_UP, data="?no base64?"), "not JSON"),
        (pubsub(SIGN_UP, data=7), "not JSON"),
        (pubsub(SIGN_UP, data=["x"]), "not JSON"),
        (pubsub(SIGN_UP | {"padding": "x" * 70_000}), "more than 65536 bytes"),
        (pubsub({}), "unknown event type"),
        (pubsub(SIGN_UP, data=None), "unknown event type"),
        (pubsub(SIGN_UP | {"type": "customer.born"}), "one of customer.signed_up"),
        (pubsub(SIGN_UP | {"type": 7}), "unknown event type"),
        (pubsub(SIGN_UP | {"type": "x" * 5000}), "unknown event type"),
        (pubsub(SIGN_UP | {"customer": None}), "lacks 'customer'"),
        (pubsub(SIGN_UP | {"customer": 7}), "lacks 'customer'"),
        (pubsub(SIGN_UP | {"customer": "Acme"}), "not a valid name"),
        (pubsub(SIGN_UP | {"plan": "gold"}), "unknown plan"),
        (pubsub(SIGN_UP | {"plan": ""}), "lacks 'plan'"),
        (pubsub(SIGN_UP | {"version": 0}), "plain decimal"),
        (pubsub(SIGN_UP | {"version": True}), "plain decimal"),
        (pubsub(SIGN_UP | {"version": {}}), "plain decimal"),
        (pubsub({"type": "model.deleted", "customer": "acme"}), "lacks 'model'"),
        (pubsub({"type": "model.deleted", "customer": "acme", "model": "_"}), "not a valid name"),
        (pubsub(structured(data=None)), "not a JSON object"),
        (pubsub(structured(data=[1])), "not a JSON object"),
        (pubsub(structured(time="yesterday")), "RFC 3339"),
        (pubsub(structured(time=7)), "RFC 3339"),
        (pubsub(structured(time="2026-01-01T00:00:00")), "no zone"),
        (pubsub(structured(time="0001-01-01T00:00:00+14:00")), "RFC 3339"),
        (pubsub(SIGN_UP, publishTime=None), "RFC 3339"),
    ],
)
def test_what_is_no_customer_event_is_refused_with_its_reason(event, reason):
    with pytest.raises(InvalidEvent) as caught:
        events.customer_event(event)
    assert reason in str(caught.value)
    assert len(str(caught.value)) < 400


@settings(max_examples=120)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=10),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["type", "customer", "plan", "version", "data", "specversion", "time", "shard"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=8,
    )
)
def test_any_json_parses_or_is_that_one_error(body):
    for parse in (
        events.customer_event,
        events.admission_request,
        events.shard_request,
        events.fleet_tick,
    ):
        with contextlib.suppress(InvalidEvent):
            assert parse(pubsub(body))


@pytest.mark.parametrize(
    "subject", [VersionName(NAME, 3), NAME, BadName("Acme/x.status.json", "a reason")]
)
def test_our_own_requests_survive_the_round_trip(subject):
    request = events.admission_request(pubsub(events.encode_request(subject)))
    assert (request.subject, request.message) == (subject, "m1")


def test_shard_requests_and_ticks():
    made = events.shard_request(
        pubsub(events.encode_shard("shard-0"), messageId=None, message_id="m2")
    )
    assert made == ShardRequest("shard-0", "m2")
    assert events.fleet_tick(pubsub({})) == FleetTick("m1")
    assert events.fleet_tick(pubsub(b"")) == FleetTick("m1")
    assert events.fleet_tick(pubsub({"sweep": True})) == FleetTick("m1", sweep=True)
    assert events.fleet_tick(pubsub({"sweep": "yes"})) == FleetTick("m1")


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (pubsub({}), "lacks 'shard'"),
        (pubsub({"shard": "../x"}), "not a valid name"),
        (pubsub({"shard": "shard-0"}, messageId=None), "no id"),
        (pubsub({"shard": "shard-0"}, messageId=7), "no id"),
    ],
)
def test_what_is_no_shard_request(event, reason):
    with pytest.raises(InvalidEvent, match=reason):
        events.shard_request(event)


NOTICE = {
    "notificationConfig": "projects/_/buckets/uploads/notificationConfigs/1",
    "eventType": "OBJECT_FINALIZE",
    "payloadFormat": "JSON_API_V1",
    "bucketId": "uploads",
    "objectId": "acme/digits/1/x",
    "objectGeneration": "1763700000000000",
    "eventTime": "2026-01-01T00:00:00Z",
}


@pytest.mark.parametrize("data", [None, b"", b'{"bucket": "b"}', b"\xff no JSON"])
@pytest.mark.parametrize(
    "name", ["acme/digits/1/x", "é/\u2028 /\x00\r\n", "\U0001f600" * 200, "../x", " "]
)
def test_an_object_was_finalized_and_the_attributes_alone_tell_which(name, data):
    raw = base64.b64encode(data).decode() if data is not None else None
    event = pubsub(b"", data=raw, attributes=NOTICE | {"objectId": name})
    assert events.uploaded(event) == Uploaded("uploads", name, 1763700000000000)


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        (None, "no notification of a bucket"),
        ([], "no notification of a bucket"),
        ({}, "no notification of a bucket"),
        (NOTICE | {"eventType": "OBJECT_DELETE"}, "of 'OBJECT_DELETE', not of OBJECT_FINALIZE"),
        (NOTICE | {"eventType": "OBJECT_METADATA_UPDATE"}, "OBJECT_METADATA_UPDATE"),
        (NOTICE | {"eventType": ["x"] * 1000}, "not of OBJECT_FINALIZE"),
        (NOTICE | {"bucketId": ""}, "lacks 'bucketId'"),
        (NOTICE | {"bucketId": 7}, "lacks 'bucketId'"),
        (NOTICE | {"objectId": ""}, "lacks 'objectId'"),
        (NOTICE | {"objectId": None}, "lacks 'objectId'"),
        (NOTICE | {"objectGeneration": ""}, "lacks 'objectGeneration'"),
        (NOTICE | {"objectGeneration": 1}, "lacks 'objectGeneration'"),
        (NOTICE | {"objectGeneration": "-1"}, "no number"),
        (NOTICE | {"objectGeneration": "new"}, "no number"),
        (NOTICE | {"objectGeneration": "\u0661"}, "no number"),
        (NOTICE | {"objectGeneration": "9" * 5000}, "no number"),
    ],
)
def test_what_is_no_notification_of_a_finalized_object(attributes, reason):
    with pytest.raises(InvalidEvent) as caught:
        events.uploaded(pubsub(b"{}", attributes=attributes))
    assert reason in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("data", [None, b"x", [], {}, {"bucket": "b", "name": "n"}])
def test_what_is_no_message_is_no_notification(data):
    with pytest.raises(InvalidEvent, match="no Pub/Sub message"):
        events.uploaded(CloudEvent(EVENT, data))


@pytest.mark.parametrize(
    "outcome",
    [
        ModelEvent("admitted", "acme.digits", 1, digest="d", shard="shard-0", reason="why"),
        ModelEvent("retired", "acme.digits", 1),
        TrainingRequested("acme", "free", TIME),
    ],
)
def test_an_outcome_is_a_structured_cloud_event_with_a_stable_id(outcome):
    at = datetime(2026, 1, 1, tzinfo=UTC)
    written = events.encode(outcome, at=at)
    read = from_json(written)
    assert read["type"] == outcome.type
    assert read["type"].startswith("dev.berth.")
    assert read["subject"] == outcome.servable
    assert read["time"] == at.isoformat()
    assert read.get_data() == outcome.data()
    later = events.encode(outcome, at=datetime(2027, 1, 1, tzinfo=UTC))
    assert json.loads(later)["id"] == json.loads(written)["id"]


def test_other_outcomes_have_other_ids():
    outcomes = [
        ModelEvent("admitted", "acme.digits", 1),
        ModelEvent("admitted", "acme.digits", 2),
        ModelEvent("admitted", "acme.digits", 1, digest="d"),
        ModelEvent("serving", "acme.digits", 1),
        ModelEvent("serving", "acme.digits", 1, revision="2"),
        TrainingRequested("acme", "free", TIME),
    ]
    assert len({outcome.id for outcome in outcomes}) == len(outcomes)
