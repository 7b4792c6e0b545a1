"""What a sidecar relies on in the Envoy beside it: the memory twin, and a real one with its folder and socket."""

import contextlib
import time
from pathlib import Path

import pytest

from berth.adapters.envoy import FolderEnvoy
from berth.adapters.memory_envoy import MemoryEnvoy
from berth.domain import door
from berth.domain.errors import Unavailable
from tests.support.door import Door

ADDRESS = "127.131.7.1"


class Twin:
    def __init__(self, folder):
        self.envoy, self.site = MemoryEnvoy(), Door(folder, ADDRESS).site

    def start(self):
        pass

    def stop(self):
        self.envoy.running = False


class Real:
    def __init__(self, folder):
        self._door = Door(folder, ADDRESS)
        self.site = self._door.site
        self.envoy = FolderEnvoy(Path(self.site.folder), Path(self.site.admin))

    def start(self):
        self._door.start()

    def stop(self):
        self._door.stop()


@pytest.fixture(params=[Twin, Real], ids=["twin", "real"])
def world(request, tmp_path_factory):
    made = request.param(tmp_path_factory.mktemp("envoy"))
    yield made
    made.stop()


def settled(world, wanted):
    end = time.monotonic() + 20
    found = None
    while found != wanted:
        assert time.monotonic() < end, found
        with contextlib.suppress(Unavailable):
            found = door.reachable(world.envoy.clusters())


def write(world, pods):
    made = door.render(world.site, [], pods)
    for files in (door.listed(made.clusters), made.listeners):
        for name, data in files.items():
            world.envoy.write(name, data)


def test_files_are_whole_and_known_by_name(world):
    assert world.envoy.files() == {}
    world.envoy.write("models/a.b", b"one")
    world.envoy.write("models/a.b", b"two")
    world.envoy.write("lds.json", b"{}")
    assert world.envoy.files() == {"models/a.b": b"two", "lds.json": b"{}"}
    world.envoy.remove("models/a.b")
    world.envoy.remove("models/never")
    assert world.envoy.files() == {"lds.json": b"{}"}


def test_clusters_are_told_once_requests_can_be_sent_there(world):
    write(world, {"s-1": ["127.131.7.2"]})
    world.start()
    settled(world, {"s-1"})
    write(world, {"s-1": ["127.131.7.2"], "s-2": []})
    settled(world, {"s-1", "s-2"})
    write(world, {"s-2": ["127.131.7.3"]})
    settled(world, {"s-2"})
    world.stop()
    with pytest.raises(Unavailable):
        world.envoy.clusters()


def test_what_a_write_did_not_finish_is_taken_away(tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / ".a.b.part").write_bytes(b"ha")
    assert FolderEnvoy(tmp_path, tmp_path / "admin.sock").files() == {}
    assert not list(tmp_path.rglob("*.part"))
