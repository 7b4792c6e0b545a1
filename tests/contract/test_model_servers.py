"""What Berth relies on in ModelService, on the memory twin and on the TensorFlow Serving stand-in."""

import time

import pytest

from berth.adapters.tfserving import GrpcModelServers
from berth.domain.errors import Unavailable
from tests.support import served_models


@pytest.fixture(params=["twin", "process"])
def world(request, tmp_path):
    folder = tmp_path / "models"
    folder.mkdir()
    made = served_models.Twin(folder) if request.param == "twin" else served_models.Process(folder)
    yield served_models.World(made)
    made.close()


def test_a_name_never_seen_has_no_versions(world):
    world.boot()
    found = world.servers.statuses(world.made.address, ["a", "b"], timeout=5)
    assert found == {"a": {}, "b": {}}


def test_a_thousand_names_are_asked_for_at_once(world):
    world.boot()
    names = [f"name-{number}" for number in range(1000)]
    begun = time.monotonic()
    found = world.servers.statuses(world.made.address, names, timeout=20)
    assert list(found) == names
    assert time.monotonic() - begun < 10
    assert world.servers.statuses(world.made.address, [], timeout=5) == {}


def test_a_reload_that_adds_a_model_returns_when_it_is_there(world):
    world.boot()
    world.add("a", 1)
    assert world.reload(("a", [1])) == ""
    assert world.states("a") == {1: "AVAILABLE"}


def test_a_second_version_is_not_waited_for_and_comes(world):
    world.boot()
    world.add("a", 1)
    world.add("a", 2)
    world.reload(("a", [1]))
    assert world.reload(("a", [1, 2])) == ""
    world.until("a", v2="AVAILABLE", v1="AVAILABLE")
    assert list(world.states("a")) == [2, 1]
    world.reload(("a", [2]))
    world.until("a", v2="AVAILABLE", v1="END")
    (old,) = [
        status
        for number, status in world.servers.statuses(world.made.address, ["a"], timeout=5)[
            "a"
        ].items()
        if number == 1
    ]
    assert (old.code, old.message) == (0, "")


def test_a_config_replaces_the_one_before(world):
    world.boot()
    for name in ("a", "b"):
        world.add(name, 1)
    world.reload(("a", [1]))
    world.reload(("b", [1]))
    world.until("a", v1="END")
    assert world.states("b") == {1: "AVAILABLE"}


def test_a_version_that_is_not_there_unloads_what_is(world):
    world.boot()
    world.add("a", 1)
    world.reload(("a", [1]))
    assert world.reload(("a", [2])) == ""
    world.until("a", v1="END")


def test_a_new_model_that_fails_is_told_once_and_harms_no_other(world):
    world.boot()
    world.add("a", 1)
    world.add_broken("b", 1)
    text = world.reload(("a", [1]), ("b", [1]))
    assert text.startswith(
        "1 model(s) did not become available: {{name: b version: 1} due to error: "
    )
    assert "Read less bytes" in text
    assert world.states("a") == {1: "AVAILABLE"}
    failed = world.servers.statuses(world.made.address, ["b"], timeout=5)["b"][1]
    assert (failed.state, failed.code) == ("END", 11)
    assert "Read less bytes" in failed.message
    assert world.reload(("a", [1]), ("b", [1])) == ""
    assert world.states("b") == {1: "END"}


def test_a_failed_version_is_tried_again_when_it_left_and_came_back(world):
    world.boot()
    world.add("a", 1)
    world.add_broken("a", 2)
    world.reload(("a", [1]))
    world.reload(("a", [1, 2]))
    world.until("a", v2="END", v1="AVAILABLE")
    world.add("a", 2)
    world.reload(("a", [1]))
    world.made.sweep()
    assert world.states("a") == {2: "END", 1: "AVAILABLE"}
    world.reload(("a", [1, 2]))
    world.until("a", v2="AVAILABLE", v1="AVAILABLE")


def test_a_config_that_lists_a_name_twice_is_refused_whole(world):
    world.boot()
    world.add("a", 1)
    assert "Illegal to list model a multiple times" in world.reload(("a", [1]), ("a", [1]))
    assert world.states("a") == {}


def test_a_path_that_is_missing_holds_every_reload_until_it_is_there(world):
    world.boot()
    world.add("a", 1)
    with pytest.raises(Unavailable):
        world.reload(("missing", [1]), timeout=2)
    with pytest.raises(Unavailable):
        world.reload(("a", [1]), timeout=2)
    assert world.states("a") == {}
    world.add("missing", 1)
    world.until("a", v1="AVAILABLE")
    world.until("missing", v1="END")


def test_a_boot_config_is_loaded_before_anything_is_answered(world):
    world.add("a", 1)
    world.add("b", 3)
    world.boot(world.config(("a", [1]), ("b", [3])))
    assert (world.states("a"), world.states("b")) == ({1: "AVAILABLE"}, {3: "AVAILABLE"})


def test_a_boot_config_with_a_broken_model_ends_the_process(world):
    world.add("a", 1)
    world.add_broken("b", 1)
    world.boot(world.config(("a", [1]), ("b", [1])), wait=False)
    world.made.settle(world.made.ended)
    assert not world.answers()


def test_who_does_not_listen_is_unavailable(world):
    world.boot()
    gone = "127.0.0.1:1"
    begun = time.monotonic()
    with pytest.raises(Unavailable):
        world.servers.statuses(gone, ["a"], timeout=5)
    with pytest.raises(Unavailable):
        world.servers.reload(gone, served_models.EMPTY, timeout=5)
    assert time.monotonic() - begun < 5


def test_channels_are_bounded(tmp_path):
    servers = GrpcModelServers(port=1, channels=2)
    for number in range(2, 6):
        with pytest.raises(Unavailable):
            servers.statuses(f"127.0.0.{number}", ["a"], timeout=1)
    assert list(servers._channels) == ["127.0.0.4", "127.0.0.5"]
    servers.close()
    assert not servers._channels
