"""Canaries and labels over a whole world: kept loaded, routed as wished, never by being the newest."""

from berth.domain import documents
from berth.domain.routing import ShardRoutes
from tests.unit.berth.app import worlds


def route(world, servable="acme.digits"):
    found = world.read(documents.routes_name("shard-0"), ShardRoutes).models[servable]
    return found.versions, found.default, found.canary, found.labels


def two(world):
    for number in (1, 2):
        world.upload(f"acme/digits/{number}")
        world.settle()
    return world


def wish(world, text):
    world.put("acme/digits/serving.yaml", text)
    world.settle()
    return world.answer("acme/digits/serving.yaml.status.json")


def test_a_canary_and_labels_are_served_beside_the_default():
    world = two(worlds.signed_up())
    answer = wish(world, b"canary: {version: 2, percent: 10}\nlabels: {old: 1}\n")
    assert answer["state"] == "ADMITTED"
    assert route(world) == ((1, 2), 1, {2: 10}, {"old": 1})
    assert world.loaded("shard-0", "acme.digits") == {1, 2}


def test_the_newest_goes_on_serving_all_until_another_can_be_the_default():
    world = two(worlds.signed_up())
    seen = []

    def note(kind, name):
        if kind == "put" and name == documents.routes_name("shard-0"):
            seen.append(route(world))

    world.control.after = note
    wish(world, b"canary: {version: 2, percent: 10}\n")
    assert seen[-1] == ((1, 2), 1, {2: 10}, {})
    assert {default for versions, default, _, _ in seen if versions == (2,)} <= {2}
    assert all(default is not None for _, default, _, _ in seen)


def test_a_newer_version_is_the_default_beside_a_canary_and_promotion_is_a_new_wish():
    world = two(worlds.signed_up())
    wish(world, b"canary: {version: 2, percent: 10}\n")
    world.upload("acme/digits/3")
    world.settle()
    assert route(world) == ((2, 3), 3, {2: 10}, {})
    wish(world, b"pin: 2\n")
    assert route(world) == ((2,), 2, {}, {})


def test_a_canary_that_is_deleted_is_gone_from_the_routes():
    world = two(worlds.signed_up())
    wish(world, b"canary: {version: 2, percent: 10}\nlabels: {new: 2}\n")
    world.customer("deleted", "acme", at=1, model="digits", version=2)
    world.settle()
    assert route(world) == ((1,), 1, {}, {})


def test_a_wrong_wish_is_answered_and_changes_nothing():
    world = two(worlds.signed_up())
    before = route(world)
    answer = wish(world, b"canary: {version: 9, percent: 10}\n")
    assert answer["state"] == "REJECTED"
    assert answer["reason"] == (
        "serving.yaml has as its canary version 9, which is not admitted (admitted: 1, 2)"
    )
    assert route(world) == before
