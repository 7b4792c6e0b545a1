"""A customer's keys and plan reach every route of the customer, whatever the order they come in."""

import itertools

import pytest

from berth.domain import documents, keys
from berth.domain.documents import Customer
from berth.domain.routing import ShardRoutes
from tests.unit.berth.app import worlds

FIRST, SECOND = "0a" * 32, "1b" * 32


def route(world, servable="acme.digits", shard="shard-0"):
    found = world.read(documents.routes_name(shard), ShardRoutes).models[servable]
    return found.plan, found.keys


def account(world, customer="acme"):
    return world.read(documents.customer_name(customer), Customer)


def test_keys_and_plan_reach_the_routes_of_every_model():
    world = worlds.serving()
    world.customer("keys_changed", "acme", at=1, keys=[SECOND, FIRST])
    world.customer("plan_changed", "acme", at=1, plan="enterprise")
    world.run()
    told = ("enterprise", (FIRST, SECOND))
    assert {route(world), route(world, "acme.starter")} == {told}
    assert account(world).keys == (FIRST, SECOND)
    world.upload("acme/later/1")
    world.settle()
    assert route(world, "acme.later") == told


def test_keys_of_one_customer_are_no_others():
    world = worlds.serving()
    world.sign_up("globex")
    world.settle()
    world.customer("keys_changed", "acme", at=1, keys=[FIRST])
    world.settle()
    assert route(world, "globex.starter") == ("standard", ())


def test_a_key_that_is_not_told_again_is_revoked():
    world = worlds.serving()
    world.customer("keys_changed", "acme", at=1, keys=[FIRST, SECOND])
    world.run()
    world.customer("keys_changed", "acme", at=2, keys=[SECOND])
    world.run()
    assert route(world)[1] == (SECOND,)
    world.customer("keys_changed", "acme", at=3, keys=[])
    world.run()
    assert route(world)[1] == ()


EVENTS = (
    ("keys_changed", {"keys": [FIRST]}),
    ("keys_changed", {"keys": [SECOND]}),
    ("plan_changed", {"plan": "enterprise"}),
)


@pytest.mark.parametrize("order", [*itertools.permutations(range(3))])
def test_the_newest_keys_win_in_any_order_however_often_they_come(order):
    world = worlds.serving()
    for number in (*order, *order):
        kind, payload = EVENTS[number]
        world.customer(kind, "acme", at=number + 1, **payload)
    world.settle()
    assert route(world) == ("enterprise", (SECOND,))
    assert account(world).keys == (SECOND,)


def test_keys_told_before_the_sign_up_wait_for_it():
    world = worlds.fresh()
    world.customer("keys_changed", "acme", at=1, keys=[FIRST])
    world.deliver(world.queue.popleft())
    assert account(world) is None
    world.sign_up()
    world.settle()
    assert route(world, "acme.starter") == ("standard", (FIRST,))


def test_the_same_keys_again_write_nothing():
    world = worlds.serving()
    world.customer("keys_changed", "acme", at=1, keys=[FIRST])
    world.settle()
    before = world.mutations
    world.customer("keys_changed", "acme", at=1, keys=[FIRST])
    world.settle()
    assert world.mutations == before


def test_a_key_in_clear_is_refused_and_told_to_nobody():
    world = worlds.serving()
    key, _ = keys.make("acme", bytes(32))
    world.customer("keys_changed", "acme", at=1, keys=[key])
    world.run()
    ((_, error),) = world.refused
    assert key not in str(error)
    assert "in clear" in str(error)
    stored = (kept.data for kept in world.buckets.objects["control"].values())
    assert not any(key.encode() in data for data in stored)
    assert account(world).keys == ()


def test_keys_go_with_an_account_that_is_erased_and_do_not_come_back():
    world = worlds.serving()
    world.policy(grace_seconds=60, garbage_seconds=60)
    world.customer("keys_changed", "acme", at=1, keys=[FIRST])
    world.customer("closed", "acme", at=2)
    world.run()
    world.clock.advance(7 * 24 * 3600)
    for _ in range(3):
        world.fleet_tick(sweep=True)
        world.clock.advance(120)
    assert account(world).keys == ()
    world.customer("keys_changed", "acme", at=1, keys=[FIRST])
    world.sign_up(at=5)
    world.settle()
    assert account(world).keys == ()
    assert route(world, "acme.starter") == ("standard", ())
    world.customer("keys_changed", "acme", at=6, keys=[SECOND])
    world.settle()
    assert route(world, "acme.starter") == ("standard", (SECOND,))
