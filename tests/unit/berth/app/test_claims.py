"""Places in a customer's plan: claimed before the probe, waited for, given back."""

import itertools

import pytest

from berth.domain import ledger
from berth.domain.errors import Throttled, Unavailable
from berth.domain.ledger import Ledger
from tests.support.world import FILES, Crash
from tests.unit.berth.app import worlds
from tests.unit.berth.app.worlds import reservations, state

SIZE = sum(len(data) for data in FILES.values())
DIGITS = "acme/digits/1.status.json"


def reserve(world, key, seconds=3600):
    """Another judge holds a place."""
    model, _, number = key.partition("/")
    known = world.read("ledgers/acme.json", Ledger) or Ledger()
    place = ledger.Reservation(
        model=model,
        number=int(number),
        bytes=SIZE,
        holder="another",
        until=worlds.later(world, seconds),
    )
    known = known.model_copy(update={"reservations": {**known.reservations, key: place}})
    world.control.put("ledgers/acme.json", known.encode(), if_generation=None)


def throttle_the_ledger(world, *numbers):
    """Writes of the ledger with these numbers are refused for now."""
    writes = itertools.count(1)

    def before(kind, name):
        if (kind, name) == ("put", "ledgers/acme.json") and next(writes) in numbers:
            raise Throttled("one write a second")

    world.control.before = before


def test_the_bytes_of_all_versions_are_bounded_and_a_deletion_frees_them(plan):
    plan(bytes=2 * SIZE)
    world = worlds.signed_up()
    for number in (1, 2, 3):
        world.upload(f"acme/digits/{number}")
        world.run()
    assert world.model("acme.digits").versions[1].bytes == SIZE
    assert [state(world, f"digits/{n}") for n in (1, 2, 3)] == ["ADMITTED", "ADMITTED", "REJECTED"]
    reason = world.answer("acme/digits/3.status.json")["reason"]
    assert reason == f"{SIZE} bytes, the plan allows {2 * SIZE} in all, {2 * SIZE} are used"
    assert len(world.probe.requests) == 2
    world.customer("deleted", "acme", at=30, model="digits", version=1)
    world.clock.advance(1800)
    world.settle()
    world.upload("acme/digits/4")
    world.settle()
    assert state(world, "digits/4") == "ADMITTED"
    assert reservations(world) == set()


def test_deleted_versions_free_their_numbers_place(plan):
    plan(versions=1)
    world = worlds.serving()
    world.upload("acme/digits/2")
    world.run()
    assert state(world, "digits/2") == "REJECTED"
    world.customer("deleted", "acme", at=30, model="digits", version=1)
    world.clock.advance(1800)
    world.run()
    world.upload("acme/digits/3")
    world.settle()
    assert state(world, "digits/3") == "ADMITTED"


def test_over_the_hour_it_waits_for_the_next_without_a_probe_or_an_attempt(plan):
    plan(admissions_per_hour=2)
    world = worlds.signed_up()
    for model in ("one", "two", "digits"):
        world.upload(f"acme/{model}/1")
    world.run()
    world.fleet_tick(sweep=True)
    assert len(world.probe.requests) == 2
    late = next(m for m in ("one", "two", "digits") if state(world, f"{m}/1") == "PENDING")
    answer = world.answer(f"acme/{late}/1.status.json")
    assert "2 admissions an hour: it is judged after 01:00 UTC" in answer["reason"]
    known = world.admission(f"acme.{late}", 1)
    assert (known.attempts, known.verdict.state) == (0, "PENDING")
    world.clock.advance(3600)
    world.fleet_tick(sweep=True)
    world.settle()
    assert state(world, f"{late}/1") == "ADMITTED"


def test_a_probe_that_fails_again_and_again_counts_once_in_the_hour(plan):
    plan(admissions_per_hour=1)
    world = worlds.signed_up()
    judge, left = world.probe.verdict, [2]

    def failing(request):
        left[0] -= 1
        if left[0] >= 0:
            raise Unavailable("the probe did not answer")
        return judge(request)

    world.probe.verdict = failing
    world.upload("acme/digits/1")
    world.settle()
    assert state(world) == "ADMITTED"


def test_a_place_that_stays_held_is_left_to_the_sweep(plan):
    plan(models=1)
    world = worlds.signed_up()
    reserve(world, "other/1", seconds=1800)
    world.upload("acme/digits/1")
    world.run()
    assert state(world) == "PENDING"
    assert "being judged" in world.answer(DIGITS)["reason"]
    assert world.probe.requests == []
    assert world.admission("acme.digits", 1).attempts == 0
    assert reservations(world) == {"other/1"}
    for _ in range(4):
        world.fleet_tick(sweep=True)
    assert state(world) == "PENDING", "no attempt was counted"
    world.clock.advance(1800)
    world.fleet_tick(sweep=True)
    assert state(world) == "ADMITTED"


def test_what_is_rejected_gives_its_place_back(plan):
    plan(models=1)
    world = worlds.signed_up()
    world.upload("acme/bad/1", **{"saved_model.pb": b"bad"})
    world.run()
    assert reservations(world) == set()
    world.upload("acme/digits/1")
    world.run()
    assert state(world) == "ADMITTED"


def test_a_reservation_that_cannot_be_given_back_ends_by_itself(plan):
    plan(models=1)
    world = worlds.signed_up()
    throttle_the_ledger(world, 2)
    world.upload("acme/bad/1", **{"saved_model.pb": b"bad"})
    world.run()
    assert (state(world, "bad/1"), reservations(world)) == ("REJECTED", {"bad/1"})
    world.clock.advance(900)
    world.upload("acme/digits/1")
    world.run()
    assert state(world) == "ADMITTED"


def test_a_ledger_that_takes_no_write_now_is_waited_for():
    world = worlds.signed_up()
    throttle_the_ledger(world, 1, 2, 3)
    world.upload("acme/digits/1")
    world.run()
    assert state(world) == "ADMITTED"


def held_up(world, seconds):
    """Let time pass in the middle of the first promotion, and another take the place."""
    copies = []

    def before(kind, name):
        if kind == "copy_from":
            copies.append(name)
            if len(copies) == 1:
                world.clock.advance(seconds)
                reserve(world, "other/1", seconds=5)

    world.models.before = before


def test_a_promotion_held_up_beyond_its_place_claims_again(plan):
    plan(models=1)
    world = worlds.signed_up()
    held_up(world, 1000)
    world.upload("acme/digits/1")
    delivery = world.run_until("admissions")
    placed = []
    world.control.before = lambda kind, name: (
        placed.append(reservations(world))
        if (kind, name) == ("put", "models/acme.digits.json")
        else None
    )
    world.deliver(delivery)
    world.settle()
    assert state(world) == "PENDING", "another holds the place by now"
    world.clock.advance(10)
    world.fleet_tick(sweep=True)
    assert state(world) == "ADMITTED"
    assert len(world.probe.requests) == 1
    assert placed[0] == {"digits/1"}, "the other's place is over and its own claimed again"


def test_a_resumed_promotion_that_finds_its_place_taken_is_rejected(plan):
    plan(models=1)
    world = worlds.signed_up()
    world.upload("acme/digits/1")
    delivery = world.run_until("admissions")
    world.models.before = lambda kind, name: world.crash_at(1) if kind == "copy_from" else None
    world.deliver(delivery)
    world.revive()
    world.queue.clear()
    assert reservations(world) == {"digits/1"}
    world.clock.advance(1000)
    world.upload("acme/other/1")
    world.run()
    assert state(world, "other/1") == "ADMITTED"
    world.fleet_tick(sweep=True)
    assert state(world) == "REJECTED"
    assert world.model("acme.digits") is None


def test_further_events_of_what_waits_write_nothing_until_something_changes(plan):
    plan(models=1)
    world = worlds.signed_up()
    reserve(world, "other/1", seconds=1800)
    world.upload("acme/digits/1")
    world.run()
    assert state(world) == "PENDING"
    before = world.control.mutations
    for _ in range(3):
        world.upload("acme/digits/1")
        world.fleet_tick(sweep=True)
    assert world.control.mutations == before
    world.put("acme/digits/1/variables/variables.index", b"another index")
    world.run()
    known = world.admission("acme.digits", 1)
    assert known.manifest.by_name()["variables/variables.index"].size == len(b"another index")
    world.clock.advance(1800)
    world.fleet_tick(sweep=True)
    assert state(world) == "ADMITTED"


def test_over_the_hour_further_events_write_nothing(plan):
    plan(admissions_per_hour=1)
    world = worlds.signed_up()
    for model in ("one", "digits"):
        world.upload(f"acme/{model}/1")
        world.run()
    before = world.control.mutations
    world.upload("acme/digits/1")
    world.run()
    assert world.control.mutations == before
    world.clock.advance(3600)
    world.fleet_tick(sweep=True)
    assert state(world) == "ADMITTED"


@pytest.mark.parametrize("graph", [b"bad", FILES["saved_model.pb"]])
def test_who_dies_with_the_verdict_written_holds_no_place(plan, graph):
    plan(models=1)
    world = worlds.signed_up()
    world.upload("acme/digits/1", **{"saved_model.pb": graph})
    delivery = world.run_until("admissions")

    def die(kind, name):
        known = world.admission("acme.digits", 1)
        if kind == "put" and known and known.verdict and known.verdict.final:
            raise Crash(name)

    world.control.after = die
    world.deliver(delivery)
    world.revive()
    assert world.admission("acme.digits", 1).verdict.final
    assert reservations(world) == set()
