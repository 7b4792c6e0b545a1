"""A shard is freed, or relieved: everything leaves it in order, and nothing moves for less."""

import pytest

from berth.domain.observation import VersionStatus
from tests.support import moving_worlds
from tests.support.moving_worlds import drain, events, minute, serves, settled, want
from tests.support.world import FILES, MIB, World


@pytest.fixture
def world():
    return moving_worlds.serving()


def test_a_shard_that_drains_is_left_by_everything(world):
    world.upload("acme/gone/1")
    world.settle()
    world.customer("deleted", "acme", at=1, model="gone")
    world.settle()
    drain(world)
    minute(world, 3)
    names = ["acme.digits", "acme.starter", "acme.gone"]
    assert {world.model(name).shard for name in names} == {"shard-1"}
    settled(world)
    held = [n for n in world.buckets.objects["control"] if n.startswith("shards/shard-0/models/")]
    assert held == []
    assert serves(world, 1, "acme.digits") == serves(world, 1, "acme.starter") == ["shard-1"]
    assert serves(world, 1, "acme.gone") == []
    assert events(world, "retired") == [("acme.gone", 1, "shard-0")]


def test_a_model_that_was_rehomed_comes_back_at_its_new_home(world):
    world.customer("deleted", "acme", at=1, model="digits")
    world.settle()
    drain(world)
    minute(world, 4)
    world.clock.advance(86_400)
    world.upload("acme/digits/2")
    world.settle()
    assert serves(world, 2) == ["shard-1"]


def test_what_serves_nowhere_leaves_a_shard_that_drains_all_the_same(world):
    world.mount.broken["/models/acme/bad", 1] = VersionStatus("END", 3, "it never loads")
    world.upload("acme/bad/1")
    world.settle()
    assert world.shard_status("shard-0").models["acme.bad"].state == "QUARANTINED"
    drain(world)
    minute(world, 6)
    assert world.model("acme.bad").shard == "shard-1"
    assert not any(n.startswith("shards/shard-0/models/") for n in world.buckets.objects["control"])


def test_a_target_that_drains_meanwhile_is_given_up(world):
    want(world, "shard-1")
    drain(world, "shard-1")
    minute(world)
    model = world.model("acme.digits")
    assert (model.target, model.move.why) == (None, "shard-1 is draining")
    settled(world)
    assert serves(world, 1) == ["shard-0"]


def test_a_full_shard_is_relieved_so_that_its_new_version_finds_room():
    world = World(shards=2, memory=(400 + 45) * MIB).settle()
    world.sign_up()
    world.settle()
    for name in ("one", "two"):
        world.upload(f"acme/{name}/1")
    world.settle()
    assert {world.model(f"acme.{n}").shard for n in ("one", "two")} == {"shard-0"}
    world.measured = world.measured.model_copy(
        update={"resident_bytes": 24 * MIB, "peak_bytes": 24 * MIB}
    )
    world.upload("acme/one/2", {**FILES, "saved_model.pb": b"larger"})
    world.run()
    assert serves(world, 2, "acme.one") == []
    minute(world, 6)
    assert len(serves(world, 2, "acme.one")) == 1
    places = {world.model(f"acme.{n}").shard for n in ("one", "two")}
    assert places == {"shard-0", "shard-1"}
    settled(world)
