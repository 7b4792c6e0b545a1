"""Erasing an account: decided once for all of it, in time for what is known, and whole."""

import pytest

from berth.app import collecting, goodbyes, orphans
from tests.support.goodbyes import (
    DAY,
    WEEK,
    close,
    now,
    sign_up,
    stored,
    sweep,
    sweep_alone,
    tell,
)
from tests.support.world import FILES
from tests.unit.berth.app import worlds


@pytest.fixture
def world():
    """The customer acme with three models, one of them the starter."""
    world = worlds.serving()
    world.upload("acme/second/1")
    return world.settle()


def served(world):
    names = ("digits", "second", "starter")
    return {name for name in names if world.loaded("shard-0", f"acme.{name}")}


def test_who_signs_up_in_the_middle_of_the_erasure_begins_anew(world, monkeypatch):
    monkeypatch.setattr(collecting, "MAX_DOCUMENTS", 1)
    close(world)
    sweep(world, WEEK + 60)
    left = [n for n in ("digits", "second", "starter") if world.model(f"acme.{n}").versions]
    assert len(left) == 2, "one document a sweep"
    sign_up(world)
    sweep(world)
    assert served(world) == {"starter"}
    for _ in range(4):
        sweep(world, DAY + 60)
    assert stored(world, "acme/", "models") == []
    assert served(world) == {"starter"}
    world.upload("acme/digits/2")
    world.settle()
    assert served(world) == {"starter", "digits"}


def test_who_signs_up_at_any_moment_of_the_sweep_gets_all_or_nothing(world):
    close(world)
    world.clock.advance(WEEK + 60)
    world.settle()
    ends = set()
    for call in range(1, 60):
        now = world.copy()
        made = [0]

        def before(kind, name, now=now, made=made, call=call):
            made[0] += 1
            if made[0] == call:
                now.revive()
                sign_up_unheard(now)

        now.fail(before)
        now.fleet_tick(sweep=True)
        now.revive()
        if made[0] < call:
            break
        sweep(now)
        sweep(now)
        ends.add(frozenset(served(now)))
    assert call > 20
    assert ends == {frozenset({"starter"}), frozenset({"digits", "second", "starter"})}


def sign_up_unheard(world):
    """The sign-up comes and is handled whole, in the middle of something else."""
    tell(world, "customer.signed_up", now(world), plan="standard")
    world.deliver(world.queue.pop())


def test_a_closing_that_comes_late_has_its_grace_all_the_same(world):
    world.clock.advance(60 * DAY)
    close(world, ago=30 * DAY)
    assert world.model("acme.digits").wants.closed
    sweep(world, WEEK - 600)
    sign_up(world)
    sweep(world)
    assert served(world) == {"digits", "second", "starter"}
    close(world, ago=-1)
    sweep(world, WEEK + 60)
    sweep(world)
    assert world.model("acme.digits").versions == {}


def test_an_erased_account_leaves_no_ledger_and_no_verdicts_but_used_numbers(world):
    world.upload("acme/bad/1", {**FILES, "saved_model.pb": b"bad graph"})
    world.put("acme/digits/9/saved_model.pb", b"one file")
    world.settle()
    world.control.put("waiting/acme/bad/1", b"{}", if_generation=None)
    assert stored(world, "ledgers/") == ["ledgers/acme.json"]
    assert len(stored(world, "admissions/acme.")) == 4
    close(world)
    sweep(world, WEEK + 60)
    sweep(world)
    used = [f"admissions/acme.{name}/1.json" for name in ("digits", "second")]
    assert stored(world, "ledgers/") == stored(world, "waiting/") == []
    assert stored(world, "admissions/") == used
    sweep(world, DAY + 60)
    for name in ("digits", "second"):
        (file,) = world.admission(f"acme.{name}", 1).manifest.files
        assert (file.size, file.crc32c) == (0, "")
    before = world.control.mutations
    world.fleet_tick(sweep=True)
    assert world.control.mutations == before


def test_emptying_goes_on_where_a_sweep_ended(world, monkeypatch):
    for number in range(1, 6):
        world.upload(f"acme/bad/{number}", {**FILES, "saved_model.pb": b"bad graph"})
    world.settle()
    close(world)
    monkeypatch.setattr(collecting, "MAX_DOCUMENTS", 2)
    for left in (3, 1, 0):
        sweep(world, WEEK + 60)
        assert len(stored(world, "admissions/acme.bad/")) == left
    sweep(world)
    assert stored(world, "ledgers/") == []


def test_accounts_that_stay_closed_cost_a_listing_and_no_reads(world):
    close(world)
    for _ in range(4):
        sweep(world, WEEK + 60)
    reads = []
    world.control.before = lambda kind, name: reads.append((kind, name))
    world.fleet_tick(sweep=True)
    assert ("get", "customers/acme.json") not in reads
    assert [name for kind, name in reads if kind == "list"].count("customers/") == 1


def test_a_sweep_reads_a_bounded_number_of_admissions(world, monkeypatch):
    monkeypatch.setattr(orphans, "MAX_LOOKS", 2)
    for number in range(1, 6):
        world.models.put(f"acme/lost/{number}/saved_model.pb", b"x", if_generation=None)
    marked = []
    for _ in range(3):
        sweep(world)
        marked.append(len(stored(world, "garbage/acme.lost/")))
    assert marked == [2, 4, 5]
    sweep(world, DAY + 60)
    sweep(world)
    sweep(world)
    assert stored(world, "acme/lost/", "models") == []


def test_a_sweep_ends_with_its_lease_and_the_next_goes_on(world):
    for number in range(1, 4):
        world.models.put(f"acme/lost/{number}/saved_model.pb", b"x", if_generation=None)

    def slow(kind, name):
        if kind == "put" and name.startswith("garbage/"):
            world.clock.advance(40)

    world.control.before = slow
    sweep_alone(world)
    assert world.outcomes[-1][0] == "ticks", "what is merely unfinished does not come again"
    assert len(stored(world, "garbage/")) == 2
    world.control.before = None
    sweep(world, 120)
    assert len(stored(world, "garbage/")) == 3


def test_a_damaged_account_is_reported_and_holds_up_no_other(world, monkeypatch):
    world.sign_up("other")
    world.settle()
    world.control.put("customers/aaa.json", b"{", if_generation=None)
    errors = []
    monkeypatch.setattr(goodbyes.log, "error", lambda *said, **facts: errors.append(facts))
    close(world)
    sweep(world, WEEK + 60)
    assert "customers/aaa.json" in errors[0]["reason"]
    assert world.model("acme.digits").versions == {}


def test_what_is_deleted_is_not_read_before_its_day_is_over(world):
    tell(world, "model.deleted", now(world), model="digits", version=1)
    close(world)
    sweep(world)
    reads = []
    world.control.before = lambda kind, name: reads.append(name) if kind == "get" else None
    sweep_alone(world)
    found = [name for name in reads if name.startswith("models/")]
    assert found == ["models/acme.digits.json"], "once: who has the bytes that nothing names?"
