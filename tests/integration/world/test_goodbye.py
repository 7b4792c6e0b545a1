"""Goodbyes: configs first, records then, bytes last; and what may be taken back until when."""

import pytest

from berth.domain import documents
from tests.support.goodbyes import (
    DAY,
    WEEK,
    close,
    kept,
    now,
    say,
    say_of,
    sign_up,
    stored,
    sweep,
    sweep_alone,
    tell,
)
from tests.support.world import FILES, World

PROJECTION = documents.projection_name("shard-0", "acme.digits")


@pytest.fixture
def world():
    world = World().settle()
    world.sign_up()
    world.sign_up("other")
    world.upload("acme/digits/1")
    world.upload("acme/digits/2")
    world.upload("other/own/1")
    world.settle()
    assert world.loaded("shard-0", "acme.digits") == {2}
    return world


def erased(world):
    close(world)
    sweep(world, WEEK + 60)
    sweep(world)
    sweep(world, DAY + 60)
    assert kept(world) == []


def test_a_closed_accounts_models_leave_configs_then_records_then_bytes(world):
    bytes_before = kept(world)
    close(world)
    world.settle()
    assert world.loaded("shard-0", "acme.digits") == set()
    sweep(world, WEEK - 600)
    assert set(world.model("acme.digits").versions) == {1, 2}
    sweep(world, 1200)
    sweep(world)
    assert world.model("acme.digits").versions == {}
    assert stored(world, "shards/shard-0/models/") == [
        "shards/shard-0/models/other.own",
        "shards/shard-0/models/other.starter",
    ]
    assert "acme.digits" not in world.shard_status().models
    assert kept(world) == bytes_before
    assert stored(world, "garbage/") == [f"garbage/acme.digits/{n}.json" for n in (1, 2)]
    sweep(world, DAY - 600)
    assert kept(world) == bytes_before
    sweep(world, 1200)
    assert kept(world) == []
    assert stored(world, "garbage/") == []
    assert world.loaded("shard-0", "other.own") == {1}
    assert len(kept(world, "other/")) == len(FILES)
    assert kept(world, "templates/")


def test_when_all_is_erased_a_sweep_writes_nothing(world):
    erased(world)
    sweep(world)
    before = world.mutations
    world.fleet_tick(sweep=True)
    assert world.mutations == before


def test_signing_up_again_in_time_restores_everything(world):
    bytes_before = kept(world)
    close(world)
    sweep(world, WEEK - 600)
    sign_up(world)
    sweep(world, 2 * WEEK)
    assert world.loaded("shard-0", "acme.digits") == {2}
    assert world.loaded("shard-0", "acme.starter") == {1}
    assert kept(world) == bytes_before
    assert stored(world, "garbage/") == []


def test_after_the_erasure_an_account_is_a_fresh_one(world):
    for name in list(world.buckets.objects["uploads"]):
        world.uploads.delete(name)
    erased(world)
    sign_up(world)
    sweep(world)
    assert world.loaded("shard-0", "acme.starter") == {1}
    assert world.loaded("shard-0", "acme.digits") == set()
    world.upload("acme/digits/3")
    world.settle()
    assert world.loaded("shard-0", "acme.digits") == {3}
    assert set(world.model("acme.digits").versions) == {3}


def test_old_events_that_come_again_resurrect_nothing(world):
    erased(world)
    before = {name: stored.data for name, stored in world.buckets.objects["control"].items()}
    say_of(world, "customer.signed_up", "2026-01-01T00:00:00Z", plan="standard")
    assert stored(world, "shards/shard-0/models/acme.") == []
    say_of(world, "customer.plan_changed", "2026-01-01T00:00:00Z", plan="enterprise")
    for name in ("digits/1/saved_model.pb", "digits/2/saved_model.pb"):
        world.put(f"acme/{name}", FILES["saved_model.pb"])
    sweep(world)
    after = {name: stored.data for name, stored in world.buckets.objects["control"].items()}
    changed = [n for n in after if after[n] != before.get(n) and "lease" not in n]
    assert changed == [f"admissions/acme.digits/{n}.json" for n in (1, 2)]  # told "immutable", once
    assert kept(world) == []
    sweep(world)
    assert before == {**after, **{n: before[n] for n in changed}}


def test_a_burnt_number_never_comes_back_with_other_bytes(world):
    erased(world)
    sign_up(world)
    world.upload("acme/digits/1", {**FILES, "saved_model.pb": b"other graph"})
    sweep(world)
    assert "immutable" in world.answer("acme/digits/1.status.json")["refused"]
    assert kept(world) == []


def test_a_deleted_version_leaves_the_document_and_its_bytes_go(world):
    say(world, "model.deleted", model="digits", version=2)
    sweep(world, DAY - 600)
    assert set(world.model("acme.digits").versions) == {1, 2}
    sweep(world, 1200)
    assert set(world.model("acme.digits").versions) == {1}
    sweep(world)
    sweep(world, DAY + 60)
    assert kept(world, "acme/digits/2/") == []
    assert len(kept(world, "acme/digits/1/")) == len(FILES)
    assert world.loaded("shard-0", "acme.digits") == {1}


def test_a_deletion_that_comes_late_has_its_day_all_the_same(world):
    world.clock.advance(30 * DAY)
    say(world, "model.deleted", ago=6 * DAY, model="digits", version=2)
    sweep(world, DAY - 600)
    assert set(world.model("acme.digits").versions) == {1, 2}
    sweep(world, 1200)
    assert set(world.model("acme.digits").versions) == {1}


def test_deleting_again_and_again_keeps_nothing_longer(world):
    for _ in range(3):
        say(world, "model.deleted", model="digits", version=2)
        say(world, "model.deleted", model="digits")
        sweep(world, DAY / 3 + 60)
    assert world.model("acme.digits").versions == {}


def test_a_version_deleted_before_it_was_admitted_goes_as_others_do(world):
    world.upload("acme/digits/3")
    admission = world.run_until("admissions")
    say(world, "model.deleted", model="digits", version=3)
    world.queue.append(admission)
    world.settle()
    sweep(world, DAY - 600)
    assert set(world.model("acme.digits").versions) == {1, 2, 3}
    sweep(world, 1200)
    assert set(world.model("acme.digits").versions) == {1, 2}


def test_erased_models_do_not_count_against_the_plan(world):
    say(world, "customer.plan_changed", plan="free")
    world.upload("acme/second/1")
    world.settle()
    for model in ("digits", "second"):
        say(world, "model.deleted", model=model)
    sweep(world, DAY + 60)
    world.upload("acme/third/1")
    world.upload("acme/fourth/1")
    world.settle()
    assert world.loaded("shard-0", "acme.third") == world.loaded("shard-0", "acme.fourth") == {1}


def test_a_deleted_starter_is_not_given_again_by_an_old_sign_up(world):
    say(world, "model.deleted", model="starter")
    sweep(world, DAY + 60)
    assert world.model("acme.starter").versions == {}
    say_of(world, "customer.signed_up", "2026-01-01T00:00:00Z", plan="standard")
    assert world.model("acme.starter").versions == {}


def test_a_shard_that_did_not_let_go_keeps_the_records(world):
    tell(world, "customer.closed", now(world))
    world.deliver(world.queue.popleft())  # the shard has not heard of it
    assert world.model("acme.digits").wants.closed
    world.clock.advance(WEEK + 60)
    sweep_alone(world)
    assert world.outcomes[-1][0] == "ticks"
    assert set(world.model("acme.digits").versions) == {1, 2}
