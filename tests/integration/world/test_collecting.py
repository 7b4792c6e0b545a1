"""Collecting: bytes that nothing names go, a day after that was seen, and nothing else."""

import pytest

from berth.domain import documents
from tests.support.goodbyes import DAY, WEEK, admission_dies, kept, now, stored, sweep, sweep_alone
from tests.support.world import FILES, World
from tests.unit.berth.app import worlds


@pytest.fixture
def world():
    world = worlds.serving()
    world.upload("acme/digits/2")
    return world.settle()


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


def test_a_damaged_document_holds_its_own_bytes_and_nobody_elses(world):
    name = "models/acme.digits.json"
    stat = world.control.stat(name)
    world.control.put(name, b"{", if_generation=None, metadata={**stat.metadata, "deleted": "1"})
    world.models.put("other/lost/9/saved_model.pb", b"x", if_generation=None)
    world.control.put("garbage/note.txt", b"by an operator", if_generation=None)
    bytes_before = kept(world)
    for _ in range(3):
        world.clock.advance(DAY + 60)
        sweep_alone(world)
    assert kept(world) == bytes_before
    assert stored(world, "garbage/") == ["garbage/note.txt"]
    assert kept(world, "other/lost/") == []


def test_bytes_that_are_named_again_lose_their_mark(world):
    document = world.buckets.objects["control"].pop("models/acme.digits.json")
    world.fleet_tick(sweep=True)
    assert stored(world, "garbage/") == ["garbage/acme.digits/1.json"]  # 2 is in the configs
    world.buckets.objects["control"]["models/acme.digits.json"] = document
    world.fleet_tick(sweep=True)
    assert stored(world, "garbage/") == []
    assert len(kept(world)) == 2 * len(FILES)


def test_a_promotion_that_died_is_no_garbage_until_it_is_refused(world):
    admission_dies(world, "acme/digits/3", at=("copy_from", "saved_model.pb"))
    assert kept(world, "acme/digits/3/") != []
    world.fleet_tick(sweep=True)
    assert stored(world, "garbage/") == []  # somebody may be at it
    sweep(world, after=600)
    assert world.admission("acme.digits", 3).verdict.state == "REJECTED"
    sweep(world)
    assert stored(world, "garbage/") == ["garbage/acme.digits/3.json"]
    sweep(world, DAY + 60)
    assert kept(world, "acme/digits/3/") == []
    assert world.loaded("shard-0", "acme.digits") == {2}


def test_a_promotion_that_died_with_all_its_bytes_there_is_served(world):
    admission_dies(world, "acme/digits/3", at=("put", "models/acme.digits.json"))
    sweep(world, after=600)
    assert world.loaded("shard-0", "acme.digits") == {3}


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
    sweep_alone(world)
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
