"""The memory servers can be killed by a model, as real ones are: at load, at a request, anywhere."""

import pytest

from berth.adapters.memory_server import OOM, SEGFAULT
from berth.adapters.memory_servers import Killer
from berth.domain.errors import Unavailable
from tests.unit.berth.app import worlds

DIGITS = "/models/acme/digits"


def pods(world):
    return world.workloads.pods("shard-0")


def ends(world):
    return [(pod.restarts, pod.exit and (pod.exit.code, pod.exit.reason)) for pod in pods(world)]


def live(world, *versions):
    """Tell every replica by hand to have these versions of acme.digits."""
    numbers = " ".join(f"versions: {number}" for number in versions)
    text = (
        f'model_config_list {{ config {{ name: "acme.digits" base_path: "{DIGITS}" '
        f'model_platform: "tensorflow" model_version_policy {{ specific {{ {numbers} }} }} }} }}'
    )
    for pod in pods(world):
        world.servers.reload(pod.address, text, timeout=1)


@pytest.fixture
def world():
    made = worlds.serving()
    made.models.put("acme/digits/2/saved_model.pb", b"graph", if_generation=None)
    return made


@pytest.mark.parametrize("death", [SEGFAULT, OOM])
def test_a_load_that_kills_ends_every_process_that_tries_it(world, death):
    world.servers.killers[DIGITS, 2] = Killer(death)
    live(world, 1, 2)
    world.tick(10)
    assert ends(world) == [(1, (death.code, death.reason))] * 2
    assert world.loaded("shard-0", "acme.digits") == {1}  # from the boot config
    assert all(pod.ready for pod in pods(world))


def test_a_killer_may_strike_on_one_server_and_only_so_often(world):
    first, second = pods(world)
    world.servers.killers[DIGITS, 2] = Killer(SEGFAULT, address=first.address, left=1)
    live(world, 1, 2)
    world.tick(10)
    assert [pod.restarts for pod in pods(world)] == [1, 0]
    assert world.loaded_on(second, "acme.digits") == {1, 2}
    live(world, 1, 2)
    world.tick(10)
    assert [pod.restarts for pod in pods(world)] == [1, 0]
    assert world.loaded("shard-0", "acme.digits") == {1, 2}


def test_a_first_request_may_kill_what_loaded_well(world):
    world.servers.killers[DIGITS, 2] = Killer(OOM, on_request=True)
    live(world, 1, 2)
    world.tick(10)
    first, second = pods(world)
    assert [pod.restarts for pod in pods(world)] == [0, 0]
    assert world.servers.request(first.address, "acme.digits", 1)
    assert not world.servers.request(first.address, "acme.digits", 2)
    assert not world.servers.request(first.address, "acme.digits", 1)
    world.tick(10)
    assert ends(world) == [(1, (137, "OOMKilled")), (0, None)]
    assert world.servers.request(second.address, "acme.digits", 1)


def test_a_killer_in_the_boot_config_never_lets_the_server_come_up(world):
    world.servers.killers[DIGITS, 1] = Killer(SEGFAULT)
    for pod in pods(world):
        world.workloads.restart(pod.name)
    world.tick(12)
    assert all(restarts > 2 and how == (139, "Error") for restarts, how in ends(world))
    assert not any(pod.ready for pod in pods(world))


def test_a_broken_boot_config_ends_the_server_as_tf_serving_ends(world):
    world.servers.break_on(pods(world)[0].address, DIGITS, 1, "corrupt")
    world.workloads.restart(pods(world)[0].name, code=137)
    world.tick(10)
    assert ends(world)[0][1] == (255, "Error")


def test_other_ends_look_otherwise(world):
    first, second = pods(world)
    world.workloads.restart(first.name, code=137)  # SIGKILL from outside
    world.tick(3)
    assert ends(world)[0] == (1, (137, "Error"))
    world.workloads.kill(first.name)  # its node is gone, and it with it
    assert first.uid not in {pod.uid for pod in pods(world)}
    world.workloads.evict(second.name)
    world.tick(10)
    (evicted,) = [pod for pod in pods(world) if pod.uid == second.uid]
    assert (evicted.terminating, evicted.serving, evicted.restarts) == (True, False, 0)
    assert (evicted.exit.code, evicted.exit.reason) == (137, "Error")
    others = [pod for pod in pods(world) if pod.uid != second.uid]
    assert len(others) == 2
    assert all(pod.serving and pod.exit is None for pod in others)


def test_a_wedged_server_answers_and_applies_nothing(world):
    first = pods(world)[0]
    world.servers.wedge(first.address)
    with pytest.raises(Unavailable):
        live(world, 1, 2)
    world.tick(10)
    assert world.loaded_on(first, "acme.digits") == {1}
    assert pods(world)[0].ready
