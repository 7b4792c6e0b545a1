"""Shards come and go by themselves: made before they are needed, given back when they are not."""

import pytest

from berth.domain import documents
from berth.domain.documents import Shard
from berth.domain.growth import NAME
from tests.support.passing import minutes
from tests.support.world import World


def names(world):
    """The folders of shards."""
    return sorted(name.rstrip("/") for name in world.control.folders("shards/"))


def states(world):
    return {name: world.read(documents.shard_name(name), Shard).state for name in names(world)}


def say(world, shard, state, **more):
    """An operator edits a shard's document."""
    shape = world.read(documents.shard_name(shard), Shard)
    changed = shape.model_copy(update={"state": state, **more})
    world.control.put(documents.shard_name(shard), changed.encode(), if_generation=None)


def grown(models=9, most=3):
    """Acme's models, more than one shard holds."""
    world = World(max_models=8, max_shards=most).settle()
    world.sign_up()
    world.settle()
    for number in range(models - 1):
        world.upload(f"acme/m{number}/1")
    return world.settle()


def everywhere(world, servable):
    return [name for name in names(world) if world.loaded(name, servable) == {1}]


def remains(world, shard):
    kept = [stat.name for stat in world.control.list(f"shards/{shard}/")]
    objects = world.workloads.observe(shard)
    return kept, [kind for kind, found in objects.objects.items() if found], objects.pods


def test_a_burst_makes_as_many_shards_as_it_needs_at_once_and_all_is_served():
    world = World(max_models=4, max_shards=9).settle()
    for number in range(13):
        world.sign_up(f"c{number}")
    world.run()
    world.fleet_tick()
    assert len(names(world)) == 4
    world.settle(rounds=80)
    assert all(everywhere(world, f"c{number}.starter") for number in range(13))
    assert all(world.shard_status(name).capacity.models <= 4 for name in names(world))
    before = world.mutations
    minutes(world, 2)
    assert world.mutations == before


def test_a_shard_is_made_before_it_is_needed():
    world = grown(models=4, most=4)
    assert names(world) == ["shard-0"]
    world.upload("acme/more/1")
    world.settle()
    assert names(world) == ["shard-0", "shard-1"]
    assert everywhere(world, "acme.more") == ["shard-0"]


def test_a_pool_at_its_maximum_lets_the_rest_wait_and_says_so():
    world = grown(models=9, most=1)
    world.fleet_tick()
    outcome = next(o for t, o in reversed(world.outcomes) if t == "ticks")
    assert "no more are allowed" in outcome.reason
    waiting = [n for n in range(8) if not everywhere(world, f"acme.m{n}")]
    assert len(waiting) == 1
    world.policy(common={"max_shards": 2})
    world.settle()
    assert everywhere(world, f"acme.m{waiting[0]}") == ["shard-1"]


def test_a_shard_whose_models_fit_elsewhere_is_emptied_and_removed_without_a_gap():
    world = grown()
    assert names(world) == ["shard-0", "shard-1"]
    home = {n: world.model(f"acme.m{n}").shard for n in range(8)}
    stays = {next(n for n in home if home[n] == shard) for shard in set(home.values())}
    assert len(stays) == 2
    for number in set(home) - stays:
        world.customer("deleted", "acme", at=1 + number, model=f"m{number}")
    world.customer("deleted", "acme", at=20, model="starter")
    served = {f"acme.m{n}": everywhere(world, f"acme.m{n}") for n in stays}
    assert all(served.values())

    def check():
        assert all(everywhere(world, servable) for servable in served), "a gap"

    minutes(world, 30, check)
    assert sorted(states(world).values()) == ["active", "removed"]
    (gone,) = (name for name, state in states(world).items() if state == "removed")
    (left,) = {*names(world)} - {gone}
    assert remains(world, gone) == ([documents.shard_name(gone)], [], ())
    assert list(world.status.fleet()["shards"]) == [left]
    assert world.status.shard(gone)["state"] == "removed"
    assert all(everywhere(world, servable) == [left] for servable in served)
    assert world.control.stat(documents.routes_name(gone)) is None
    before = world.mutations
    minutes(world, 3)
    world.fleet_tick(sweep=True)
    assert world.mutations == before


def test_a_number_is_not_given_again():
    world = grown()
    world.policy(common={"max_shards": 9})
    say(world, "shard-1", "draining")
    minutes(world, 30)
    assert states(world)["shard-1"] == "removed"
    assert len(world.workloads.observe("shard-1").pods) == 0
    assert {name for name, state in states(world).items() if state == "active"} >= {"shard-2"}
    assert all(everywhere(world, f"acme.m{n}") for n in range(8))


@pytest.mark.parametrize("state", ["draining", "removed"])
def test_what_an_operator_drains_or_removes_is_emptied_first(state):
    world = World(shards=2).settle()
    world.sign_up()
    world.settle()
    world.upload("acme/digits/1")
    world.settle()
    world.policy(common={"min_shards": 1})
    home = world.model("acme.digits").shard
    say(world, home, state)

    def check():
        assert everywhere(world, "acme.digits"), "a gap"

    minutes(world, 25, check)
    assert states(world)[home] == "removed"
    assert remains(world, home) == ([documents.shard_name(home)], [], ())
    assert everywhere(world, "acme.digits") == [({"shard-0", "shard-1"} - {home}).pop()]
    world.upload("acme/late/1")
    world.sign_up("globex", at=5)
    world.settle()
    assert everywhere(world, "acme.late")
    assert everywhere(world, "globex.starter")


def test_a_shard_that_drains_is_taken_back_when_room_is_needed():
    world = grown(models=6, most=2)
    assert names(world) == ["shard-0", "shard-1"]
    empty = min(names(world), key=lambda name: world.shard_status(name).capacity.models)
    full = ({*names(world)} - {empty}).pop()
    say(world, empty, "draining", reason="its models fit elsewhere")
    world.fleet_tick()
    assert states(world) == {empty: "active", full: "active"}
    assert world.read(documents.shard_name(empty), Shard).reason.startswith(
        "the common pool has room"
    )


def test_what_an_operator_drains_is_not_taken_back():
    world = grown(models=6, most=4)
    empty = min(names(world), key=lambda name: world.shard_status(name).capacity.models)
    say(world, empty, "draining")
    minutes(world, 12)
    assert states(world)[empty] == "removed"
    assert "shard-2" in names(world)


def test_an_upload_to_a_home_that_is_gone_goes_elsewhere_at_once():
    world = World(shards=2).settle()
    world.sign_up()
    world.settle()
    home = world.model("acme.starter").shard
    say(world, home, "draining")
    world.upload("acme/digits/1")
    world.run()
    assert world.model("acme.digits").shard != home


def test_names_of_shards_are_numbers():
    assert [bool(NAME.fullmatch(name)) for name in ("shard-0", "shard-12")] == [True, True]
    assert not any(NAME.fullmatch(name) for name in ("shard-", "shard-01", "shard-x", "other"))
