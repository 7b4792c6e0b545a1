"""One server to load models into, as the memory twin and as a process, and the words to test both with."""

import itertools
import shutil
import time

import pytest

from berth.adapters.memory_servers import MemoryModelServers
from berth.adapters.tfserving import GrpcModelServers
from berth.domain.errors import Unavailable
from tests.support import models
from tests.support.model_server import ModelServer

EMPTY = "model_config_list {}"
_names = itertools.count(1)
FLAGS = {
    "file_system_poll_wait_seconds": 1,
    "max_num_load_retries": 0,
    "num_load_threads": 2,
    "num_unload_threads": 2,
}


class Twin:
    """Memory servers and their files."""

    def __init__(self, folder):
        self.folder = folder
        self.servers = MemoryModelServers()
        self.address = "10.0.0.1"

    def boot(self, config):
        self.servers.boot(self.address, config)

    def settle(self, condition):
        for _ in range(100):
            if condition():
                return
            self.servers.tick()
        pytest.fail("the condition did not come true")

    def sweep(self):
        self.servers.tick(2)

    def ended(self):
        return self.servers.exited(self.address)

    def add(self, name, version):
        self.servers.add_files(f"{self.folder}/{name}", version)

    def add_broken(self, name, version):
        self.servers.add_files(f"{self.folder}/{name}", version, code=11, message="Read less bytes")

    def close(self):
        """Nothing runs."""


class Process:
    """A server process and a folder of models."""

    def __init__(self, folder):
        self.folder = folder
        self.servers = GrpcModelServers()
        self.process = None
        self.address = None

    def boot(self, config):
        home = self.folder.parent / f"server-{next(_names)}"
        home.mkdir()
        self.process = ModelServer(home, models=config, **FLAGS)
        self.address = f"127.0.0.1:{self.process.port}"

    def settle(self, condition):
        deadline = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def sweep(self):
        # What a failed version last said stays, so that nothing shows when it was let go.
        time.sleep(1.5)

    def ended(self):
        return self.process.process.poll() is not None

    def add(self, name, version):
        target = self.folder / name / str(version)
        partial = self.folder / f"partial-{next(_names)}"
        shutil.copytree(models.model("half_plus_two") / "1", partial)
        target.parent.mkdir(exist_ok=True)
        shutil.rmtree(target, ignore_errors=True)
        partial.rename(target)

    def add_broken(self, name, version):
        self.add(name, version)
        file = self.folder / name / str(version) / "saved_model.pb"
        file.write_bytes(file.read_bytes()[:20])

    def close(self):
        self.servers.close()
        if self.process:
            self.process.__exit__()


class World:
    """One server and the words of the tests."""

    def __init__(self, made):
        self.made = made
        self.servers, self.add, self.add_broken = made.servers, made.add, made.add_broken

    def config(self, *listed):
        """The text of a config of (name, versions)."""
        text = ""
        for name, versions in listed:
            numbers = " ".join(f"versions: {number}" for number in versions)
            text += (
                f'config {{ name: "{name}" base_path: "{self.made.folder}/{name}"'
                f' model_platform: "tensorflow"'
                f" model_version_policy {{ specific {{ {numbers} }} }} }}\n"
            )
        return f"model_config_list {{ {text} }}"

    def boot(self, config=EMPTY, *, wait=True):
        self.made.boot(config)
        if wait:
            self.made.settle(self.answers)

    def answers(self):
        try:
            self.servers.statuses(self.made.address, ["any"], timeout=2)
        except Unavailable:
            return False
        return True

    def reload(self, *listed, timeout=20):
        return self.servers.reload(self.made.address, self.config(*listed), timeout=timeout)

    def states(self, name):
        found = self.servers.statuses(self.made.address, [name], timeout=5)[name]
        return {number: status.state for number, status in found.items()}

    def until(self, name, **states):
        wanted = {int(number[1:]): state for number, state in states.items()}
        self.made.settle(lambda: self.states(name) == wanted)
