"""Goodbyes: configs first, records then, bytes last; and what may be taken back until when."""

import json
from datetime import timedelta

import pytest

from berth.domain import documents
from tests.support.world import FILES, Crash, World

DAY = 86_400
WEEK = 7 * DAY
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


def now(world):
    return world.clock.now().isoformat()


def say(world, kind, customer="acme", **payload):
    """Publish a customer event that happens now."""
    world.clock.advance(1)
    return say_of(world, kind, now(world), customer, **payload)


def say_of(world, kind, time, customer="acme", **payload):
    body = {"specversion": "1.0", "type": kind, "time": time}
    world.send(
        "customers", json.dumps({**body, "data": {"customer": customer, **payload}}).encode()
    )
    world.run()
    return time


def close(world):
    return say(world, "customer.closed")


def sign_up(world):
    return say(world, "customer.signed_up", plan="standard")


def sweep(world, after=0.0):
    """The hourly sweep, and what the ticks after it do."""
    world.clock.advance(after)
    world.settle()
    world.fleet_tick(sweep=True)
    world.settle()


def kept(world, prefix="acme/"):
    return sorted(n for n in world.buckets.objects["models"] if n.startswith(prefix))


def control(world, prefix):
    return sorted(name for name in world.buckets.objects["control"] if name.startswith(prefix))


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
    assert control(world, "shards/shard-0/models/") == [
        "shards/shard-0/models/other.own",
        "shards/shard-0/models/other.starter",
    ]
    assert "acme.digits" not in world.shard_status().models
    assert kept(world) == bytes_before
    assert control(world, "garbage/") == [f"garbage/acme.digits/{n}.json" for n in (1, 2)]
    sweep(world, DAY - 600)
    assert kept(world) == bytes_before
    sweep(world, 1200)
    assert kept(world) == []
    assert control(world, "garbage/") == []
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
    assert control(world, "garbage/") == []


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
    assert control(world, "shards/shard-0/models/acme.") == []
    say_of(world, "customer.plan_changed", "2026-01-01T00:00:00Z", plan="enterprise")
    for name in ("digits/1/saved_model.pb", "digits/2/saved_model.pb"):
        world.put(f"acme/{name}", FILES["saved_model.pb"])
    sweep(world)
    after = {name: stored.data for name, stored in world.buckets.objects["control"].items()}
    assert [n for n in after if after[n] != before.get(n) and "lease" not in n] == []
    assert kept(world) == []


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
    body = {"specversion": "1.0", "type": "customer.closed", "time": now(world)}
    world.send("customers", json.dumps({**body, "data": {"customer": "acme"}}).encode())
    world.deliver(world.queue.popleft())  # the shard has not heard of it
    assert world.model("acme.digits").wants.closed
    world.clock.advance(WEEK + 60)
    world.send("ticks", b'{"sweep": true}')
    world.deliver(world.queue.popleft())
    assert world.outcomes[-1][0] == "ticks"
    assert set(world.model("acme.digits").versions) == {1, 2}


def test_bytes_of_nobody_are_collected_and_templates_never(world):
    world.models.put("acme/lost/9/saved_model.pb", b"x", if_generation=None)
    world.models.put("acme/lost/9/assets/a.txt", b"x", if_generation=None)
    world.models.put("templates/unused/1/saved_model.pb", b"x", if_generation=None)
    sweep(world)
    assert kept(world, "acme/lost/") != []
    world.models.deletes.clear()
    sweep(world, DAY + 60)
    assert world.models.deletes == ["acme/lost/9/saved_model.pb", "acme/lost/9/assets/a.txt"]
    assert kept(world, "templates/unused/") != []
    world.upload("acme/lost/9")
    sweep(world)
    assert "immutable" in world.answer("acme/lost/9.status.json")["refused"]


def test_bytes_that_are_named_again_lose_their_mark(world):
    document = world.buckets.objects["control"].pop("models/acme.digits.json")
    world.fleet_tick(sweep=True)
    assert control(world, "garbage/") == ["garbage/acme.digits/1.json"]  # 2 is in the configs
    world.buckets.objects["control"]["models/acme.digits.json"] = document
    world.fleet_tick(sweep=True)
    assert control(world, "garbage/") == []
    assert len(kept(world)) == 2 * len(FILES)


def test_a_promotion_that_died_is_no_garbage_however_long_it_lies(world):
    world.upload("acme/digits/3")
    delivery = world.run_until("admissions")

    def die(kind, name):
        if kind == "copy_from" and name.endswith("saved_model.pb"):
            raise Crash(name)

    world.fail(die)
    with pytest.raises(Crash):
        world.admit_model.handle(world.functions["admissions"][0](world.event(delivery)))
    world.revive()
    for name in [n for n in world.buckets.objects["uploads"] if n.startswith("acme/digits/3")]:
        del world.buckets.objects["uploads"][name]
    assert kept(world, "acme/digits/3/") != []
    for _ in range(3):
        world.clock.advance(timedelta(days=2).total_seconds())
        world.fleet_tick(sweep=True)
    assert control(world, "garbage/") == []
    assert kept(world, "acme/digits/3/") != []


def test_a_replica_that_may_run_an_older_config_holds_the_bytes(world):
    world.models.put("acme/lost/9/saved_model.pb", b"x", if_generation=None)
    sweep(world)
    name = documents.status_name("shard-0")
    status = world.shard_status()
    key = status.replicas[0].key
    told = {**status.told, key: status.told[key].model_copy(update={"digest": ""})}
    unsure = status.model_copy(update={"told": told})
    world.clock.advance(DAY + 60)
    world.control.put(
        name,
        unsure.encode(),
        if_generation=None,
        metadata=world.control.stat(name).metadata,
    )
    world.send("ticks", b'{"sweep": true}')
    world.deliver(world.queue.popleft())
    assert "was not told the live config" in world.outcomes[-1][1].reason
    assert kept(world, "acme/lost/") != []


def test_a_shard_that_booted_with_what_is_live_holds_nothing():
    world = World().settle()
    world.clock.advance(600)
    world.policy(restart_before=now(world), max_age_seconds=WEEK)
    world.settle()
    assert world.shard_status().told == {}  # all booted with what is live
    world.clock.advance(600)
    world.models.put("acme/lost/9/saved_model.pb", b"x", if_generation=None)
    sweep(world)
    sweep(world, DAY + 60)
    assert kept(world) == []
