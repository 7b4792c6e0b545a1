"""A version that ends the server's process: seen by its deaths, withdrawn alone, never fed again."""

import pytest

from berth.adapters.memory_server import OOM, SEGFAULT
from berth.adapters.memory_servers import Killer
from tests.unit.berth.app import worlds

DIGITS = "/models/acme/digits"


def pods(world):
    return world.workloads.pods("shard-0")


def deaths(world):
    return sum(pod.restarts for pod in pods(world))


def held(world, name="acme.digits", number=2):
    return world.shard_status().models[name].quarantined.get(number)


def announced(world, name="acme.digits"):
    return world.shard_status().models[name].announced


def minutes(world, count):
    """Let time pass as it does: ticks of the fleet, and of the servers between them."""
    for _ in range(count):
        for _ in range(6):
            world.clock.advance(10)
            world.tick(5)
        world.fleet_tick()
        world.run()


def restarts_whole(world, *names):
    """Every replica begins anew, and has at once what is announced."""
    before = {name: announced(world, name) for name in names}
    for pod in pods(world):
        world.workloads.restart(pod.name, code=137)
    world.tick(12)
    assert all(pod.ready for pod in pods(world))
    for name in names:
        assert world.loaded("shard-0", name) == set(before[name])


@pytest.mark.parametrize("death", [SEGFAULT, OOM])
def test_a_version_that_kills_at_load_kills_one_replica_twice_and_no_more(world, death):
    world.servers.killers[DIGITS, 2] = Killer(death)
    world.upload("acme/digits/2")
    other = pods(world)[1]
    minutes(world, 6)
    assert deaths(world) == 2
    assert {pod.key for pod in pods(world)} >= {other.key}
    assert (held(world).active, held(world).attempts, held(world).transient) == (True, 2, False)
    assert "is not tried again" in held(world).reason
    assert announced(world) == (1,)
    assert world.loaded("shard-0", "acme.digits") == {1}
    restarts_whole(world, "acme.digits", "acme.starter")
    minutes(world, 3)
    assert deaths(world) == 4  # the two, and the two restarts by hand


def test_versions_pushed_with_a_killer_serve_after_all(world):
    world.servers.killers[DIGITS, 2] = Killer(SEGFAULT)
    for name in ("digits/2", "letters/1", "words/1"):
        world.upload(f"acme/{name}")
    minutes(world, 8)
    assert announced(world, "acme.letters") == announced(world, "acme.words") == (1,)
    assert announced(world) == (1,)
    assert not held(world).transient
    assert deaths(world) <= 3
    restarts_whole(world, "acme.digits", "acme.letters", "acme.words")


def test_a_version_that_kills_once_is_tried_again_and_serves(world):
    world.servers.killers[DIGITS, 2] = Killer(SEGFAULT, left=1)
    world.upload("acme/digits/2")
    minutes(world, 4)
    assert (announced(world), deaths(world)) == ((2,), 1)
    restarts_whole(world, "acme.digits")


def ask(world, name, number):
    """A client that asks every replica, and asks again."""
    return [world.servers.request(pod.address, name, number) for pod in pods(world)]


def test_a_version_that_kills_at_its_first_requests_leaves_the_boot_config_too(world):
    world.servers.killers[DIGITS, 2] = Killer(OOM, on_request=True)
    world.upload("acme/digits/2")
    world.settle()
    assert announced(world) == (2,)
    for _ in range(40):
        ask(world, "acme.digits", 2)
        world.clock.advance(5)
        world.tick(5)
        world.fleet_tick()
        world.run()
    assert (held(world).active, held(world).transient) == (True, False)
    assert announced(world) == (1,)
    assert ask(world, "acme.digits", 1) == [True, True]
    assert "versions: 2" not in world.control.get("shards/shard-0/boot/models.config").data.decode()
    died = deaths(world)
    restarts_whole(world, "acme.digits", "acme.starter")
    minutes(world, 2)
    assert deaths(world) == died + 2


@pytest.mark.parametrize("how", ["killed", "node gone", "evicted"])
def test_a_replica_lost_for_another_reason_speaks_against_no_version(world, how):
    world.upload("acme/digits/2")
    world.settle()
    victim = pods(world)[0].name
    if how == "killed":
        world.workloads.restart(victim, code=137)
    elif how == "node gone":
        world.workloads.kill(victim)
    else:
        world.workloads.evict(victim)
    minutes(world, 2)
    assert held(world) is None
    assert announced(world) == (2,)


def test_a_crash_long_after_an_announcement_speaks_against_nothing(world):
    world.upload("acme/digits/2")
    world.settle()
    minutes(world, 11)
    world.workloads.restart(pods(world)[0].name, code=139)
    minutes(world, 2)
    assert held(world) is None
    assert announced(world) == (2,)


@pytest.fixture
def world():
    return worlds.serving()
