"""The sweep is fair: whatever one customer puts into the inbox, each of the others is looked at."""

import pytest

from berth.app import sweeping
from berth.domain import inbox
from berth.domain.inbox import SweepMarks
from berth.domain.requests import FleetTick
from tests.support.world import FILES
from tests.unit.berth.app import worlds


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(inbox, "MAX_SUBJECTS", 10)
    monkeypatch.setattr(inbox, "MAX_OBJECTS", 100)


def lost(world, *versions):
    """Uploads whose events never come."""
    for version in versions:
        for name, data in FILES.items():
            world.uploads.put(f"{version}/{name}", data, if_generation=None)
    world._uploads_seen = len(world.uploads.writes)


def two_customers():
    world = worlds.signed_up()
    world.sign_up("zeta", plan="free")
    return world.settle()


def sweep(world, number=0):
    """One sweep; return the admissions it asks for."""
    world.reconcile_fleet.handle(FleetTick(f"sweep {number}", sweep=True))
    return [message.data for message in world.publisher.take("admissions")]


def marks(world):
    return world.read("fleet/sweep.json", SweepMarks)


def test_a_customer_with_thousands_of_versions_costs_a_share_and_the_others_are_found():
    world = two_customers()
    lost(world, *(f"acme/digits/{number}" for number in range(1, 501)), "zeta/digits/1")
    gets = world.control.calls["get"]
    asked = sweep(world)
    assert len(asked) == inbox.MAX_SUBJECTS + 1
    assert b'{"customer": "zeta", "model": "digits", "version": 1}' in asked
    assert world.control.calls["get"] - gets < 3 * inbox.MAX_SUBJECTS
    assert set(marks(world).marks) == {"acme"}


def test_sweeps_go_on_until_all_was_seen_and_begin_again():
    world = two_customers()
    lost(world, *(f"acme/digits/{number}" for number in range(1, 36)))
    rounds = [sweep(world, number) for number in range(5)]
    assert [len(asked) for asked in rounds] == [10, 10, 10, 5, 10]
    assert len({name for asked in rounds for name in asked}) == 35
    assert rounds[0] == rounds[4]


def test_a_sweep_that_has_no_time_left_goes_on_with_the_next_customer(monkeypatch):
    monkeypatch.setattr(sweeping, "PARALLEL", 1)
    world = two_customers()
    lost(world, "acme/digits/1", "zeta/digits/1")

    def slow(kind, name):
        if (kind, name) == ("list", "acme/"):
            world.clock.advance(sweeping.SECONDS)

    world.uploads.before = slow
    assert [len(sweep(world, number)) for number in range(3)] == [1, 1, 1]
    world.uploads.before = None
    assert marks(world).customer == "zeta"
    assert len(sweep(world, 3)) == 1
    assert marks(world) == SweepMarks()
    assert len(sweep(world, 4)) == 2


def test_a_sweep_within_its_share_writes_nothing():
    world = two_customers()
    lost(world, "acme/digits/1")
    before = world.control.mutations
    sweep(world)
    assert world.control.mutations == before


def test_an_upload_that_waits_for_its_owner_is_answered_once():
    world = worlds.signed_up()
    world.customer("closed", "acme", at=1)
    world.upload("acme/late/1")
    world.settle()
    assert "the account is closed" in world.answer("acme/late/1.status.json")["reason"]
    before = world.mutations
    world.fleet_tick(sweep=True)
    assert [outcome.word for topic, outcome in world.outcomes if topic == "admissions"][-1] == (
        "deferred"
    )
    assert world.mutations == before
