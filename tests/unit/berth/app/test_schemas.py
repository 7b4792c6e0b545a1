"""The published schemas against what is really read and said."""

import json

import jsonschema
import pytest

from berth import events
from berth.domain.errors import InvalidEvent
from berth.domain.observation import VersionStatus
from infra.functions import ROOT
from tests.unit.berth.app import worlds
from tests.unit.berth.test_events import pubsub, structured


def schema(name):
    read = json.loads((ROOT / f"docs/schemas/{name}.json").read_text())
    jsonschema.Draft202012Validator.check_schema(read)
    return jsonschema.Draft202012Validator(
        read, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )


@pytest.fixture(scope="module")
def eventful():
    """A world in which everything happened that is told."""
    world = worlds.serving()
    world.put("acme/digits/2/saved_model.pb", b"graph")
    world.settle()
    world.upload("acme/digits/2")
    world.settle()
    world.upload("acme/digits/2", **{"saved_model.pb": b"other"})
    world.upload("acme/bad/1", **{"saved_model.pb": b"bad"})
    world.mount.broken["/models/acme/poison", 1] = VersionStatus("END", 3, "it does not load")
    world.upload("acme/poison/1")
    world.upload("early/digits/1")
    world.upload("acme/Bad/1")
    world.put("acme/half/1/saved_model.pb", b"graph")
    world.put("acme/digits/serving.yaml", b"keep: [")
    world.put("acme/starter/serving.yaml", b"keep: 2")
    return world.settle(rounds=80)


def test_every_outcome_is_as_published(eventful):
    checker = schema("model-event")
    for message in eventful.publisher.messages["events"]:
        checker.validate(json.loads(message.data))
    kinds = {kind for kind, _, _ in eventful.said()}
    told = {"admitted", "incomplete", "rejected", "serving", "quarantined", "retired"}
    assert kinds == {f"model.{kind}" for kind in told} | {"training.requested"}


def test_every_verdict_is_as_published_and_has_a_reason(eventful):
    checker = schema("verdict")
    names = [n for n in eventful.buckets.objects["uploads"] if n.endswith(".status.json")]
    for name in names:
        checker.validate(eventful.answer(name))
        assert {"state", "reason", "at"} <= set(eventful.answer(name)), name
    states = {eventful.answer(name)["state"] for name in names}
    assert states == {"PENDING", "INCOMPLETE", "REJECTED", "ADMITTED"}
    assert eventful.answer("acme/digits/2.status.json")["refused"]


@pytest.mark.parametrize(
    ("servable", "state"),
    [
        ("acme.digits", "SERVING"),
        ("acme.starter", "SERVING"),
        ("acme.bad", "REJECTED"),
        ("acme.half", "PENDING"),
        ("acme.poison", "QUARANTINED"),
    ],
)
def test_every_status_is_as_published(eventful, servable, state):
    status = eventful.status.model(servable)
    schema("status-model").validate(json.loads(json.dumps(status)))
    assert status["state"] == state
    assert status["reason"] or state == "SERVING"
    assert len(status["endpoints"]) == (2 if state == "SERVING" else 0)


EVENTS = [
    {"type": "customer.signed_up", "customer": "acme", "plan": "standard"},
    {"type": "customer.plan_changed", "customer": "acme", "plan": "free"},
    {"type": "customer.closed", "customer": "acme"},
    {"type": "customer.keys_changed", "customer": "acme", "keys": []},
    {"type": "customer.keys_changed", "customer": "acme", "keys": ["0a" * 32]},
    {"type": "customer.keys_changed", "customer": "acme"},
    {"type": "customer.keys_changed", "customer": "acme", "keys": "0a" * 32},
    {"type": "customer.keys_changed", "customer": "acme", "keys": ["0A" * 32]},
    {"type": "customer.keys_changed", "customer": "acme", "keys": ["0a" * 31]},
    {"type": "customer.keys_changed", "customer": "acme", "keys": [f"{n}" * 64 for n in range(5)]},
    structured(type="customer.keys_changed"),
    structured(type="customer.keys_changed", data={"customer": "acme", "keys": ["0a" * 32]}),
    structured(type="customer.keys_changed", data={"customer": "acme", "keys": ["key"]}),
    {"type": "model.deleted", "customer": "acme", "model": "digits", "version": 3},
    structured(),
    {"type": "customer.signed_up", "customer": "acme"},
    {"type": "customer.signed_up", "customer": "Acme", "plan": "free"},
    {"type": "customer.signed_up", "customer": "acme", "plan": "gold"},
    {"type": "model.deleted", "customer": "acme"},
    {"type": "customer.born", "customer": "acme"},
    structured(data={"customer": "acme"}),
    structured(data=None),
    {},
]


@pytest.mark.parametrize("body", EVENTS, ids=json.dumps)
def test_the_schema_takes_what_the_parser_takes(body):
    try:
        events.customer_event(pubsub(body))
    except InvalidEvent:
        taken = False
    else:
        taken = True
    assert schema("customer-event").is_valid(body) == taken
