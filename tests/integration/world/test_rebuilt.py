"""What does not follow from customers' events, admissions and documents is found, and named."""

import json

import pytest

from berth.domain.requests import CustomerEvent
from tests.chaos import rebuilt
from tests.support.world import World

TOLD = (
    CustomerEvent("signed_up", "acme", "2026-01-01T00:00:00.000000+00:00", plan="standard"),
    CustomerEvent("signed_up", "leaver", "2026-01-01T00:00:00.000000+00:00", plan="standard"),
    CustomerEvent("closed", "leaver", "2026-01-01T00:09:00.000000+00:00"),
    CustomerEvent("model.deleted", "acme", "2026-01-01T00:08:00.000000+00:00", model="gone"),
)


@pytest.fixture(scope="module")
def settled():
    """A customer with two versions, a bad one and a deleted model, and one who left."""
    world = World().settle()
    world.sign_up()
    world.sign_up("leaver")
    for version in ("acme/own/1", "acme/own/2", "acme/gone/1", "leaver/own/1"):
        world.upload(version)
    world.upload("acme/bad/1", **{"saved_model.pb": b"bad graph"})
    world.settle()
    world.customer("closed", "leaver", at=9)
    world.customer("deleted", "acme", at=8, model="gone")
    world.settle()
    return world


@pytest.fixture
def state(settled):
    control = {
        name: rebuilt.Stored(kept.data, dict(kept.stat.metadata), kept.stat.generation)
        for name, kept in settled.buckets.objects["control"].items()
    }
    models = {name: kept.stat.crc32c for name, kept in settled.buckets.objects["models"].items()}
    return rebuilt.State(control, models)


def found(state, told=TOLD):
    return [*rebuilt.differences(state, told)]


def edit(state, name, change):
    """Change a stored document."""
    before = state.control[name]
    document = json.loads(before.data)
    change(document)
    data = json.dumps(document).encode()
    state.control[name] = rebuilt.Stored(data, before.metadata, before.generation)


def test_a_settled_fleet_is_as_rebuilt(state):
    assert found(state) == []
    assert len(state.all("models/", rebuilt.Model)) == 5
    assert len(state.models) > 1


def drop(name):
    return lambda state: state.control.pop(name)


def set_in(name, key, value):
    return lambda state: edit(state, name, lambda document: document.update({key: value}))


def unadmit(state):
    edit(state, "admissions/acme.own/1.json", lambda one: one["verdict"].update(state="REJECTED"))


def forget_version(state):
    edit(state, "models/acme.own.json", lambda one: one["versions"].pop("1"))


def announce(state):
    edit(
        state,
        "shards/shard-0/status.json",
        lambda one: one["models"]["acme.own"].update(announced=[1]),
    )


def route_another(state):
    edit(
        state,
        "routes/shard-0.json",
        lambda one: one["models"]["acme.own"].update(versions=[1]),
    )


def open_again(state):
    edit(state, "models/leaver.own.json", lambda one: one["wants"].update(closed=False))


@pytest.mark.parametrize(
    ("broken", "named"),
    [
        (drop("customers/acme.json"), "the account acme is None"),
        (drop("models/acme.starter.json"), "the starter model of acme is None"),
        (drop("shards/shard-0/models/acme.own"), "the projection shard-0/acme.own is None"),
        (drop("admissions/acme.own/1.json"), "acme.own has {1: "),
        (set_in("customers/acme.json", "plan", "free"), "the account acme is "),
        (set_in("customers/acme.json", "home_shard", "no"), "acme is at home on no,"),
        (set_in("customers/leaver.json", "state", "active"), "the account leaver is "),
        (unadmit, "the bytes acme/own/1/saved_model.pb are "),
        (forget_version, "acme.own has {2: "),
        (announce, "shard-0 announces acme.own as ('SERVING', (1,)), rebuilt (2,)"),
        (route_another, "routers may send {"),
        (drop("routes/shard-0.json"), "routers may send None to shard-0"),
        (open_again, "leaver.own does not follow its account"),
        (lambda state: state.models.pop("acme/own/2/saved_model.pb"), "are None, promoted "),
        (lambda state: state.models.update({"acme/bad/1/saved_model.pb": "x"}), "promoted None"),
    ],
)
def test_what_does_not_follow_is_found(state, broken, named):
    broken(state)
    assert any(named in line for line in found(state)), found(state)


def test_an_event_that_was_not_applied_is_found(state):
    again = CustomerEvent("closed", "acme", "2026-01-02T00:00:00.000000+00:00")
    assert any(line.startswith("the account acme is ") for line in found(state, (*TOLD, again)))


@pytest.mark.parametrize("file", ["boot/models.config", "live/models.config"])
def test_a_config_that_names_another_version_is_found(state, file):
    name = f"shards/shard-0/{file}"
    kept = state.control[name]
    data = kept.data.replace(b"versions: 2", b"versions: 1")
    state.control[name] = rebuilt.Stored(data, kept.metadata, kept.generation)
    assert [line for line in found(state) if line.startswith(f"{name} is ")]
