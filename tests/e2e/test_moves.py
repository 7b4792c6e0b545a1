"""A model moves between shards under load, as an operator asks, and without one failed prediction."""

import json
import threading
import time
from dataclasses import dataclass

import pytest

from tests.support import e2e
from tests.support.e2e import until

SHARDS = ("shard-0", "shard-1")
EVERY = 1.0  # a router asks for the routes once a second


class Routed:
    """Where a router would send requests for a model: by the routes of all shards, as old as a second."""

    def __init__(self, fleet, servable):
        self.fleet, self.servable = fleet, servable
        self._asked, self._shard, self._lock = 0.0, None, threading.Lock()

    def __call__(self):
        with self._lock:
            if time.monotonic() - self._asked > EVERY:
                self._shard, self._asked = self._look(), time.monotonic()
            return self.fleet.replicas.ready(self._shard)

    def _look(self):
        found = []
        for blob in self.fleet.storage.list_blobs(self.fleet.control, prefix="routes/"):
            routes = json.loads(blob.download_as_bytes())
            entry = routes["models"].get(self.servable)
            if entry and entry["versions"]:
                found.append((not entry["arriving"], entry["document"], routes["shard"]))
        return max(found)[-1]


@dataclass(frozen=True)
class Router:
    """The one door in front of all shards."""

    url: str
    name: str = "router"


@pytest.fixture
def wanted(berth):
    """Ask for a model's move in the operator's policy; it is empty again afterwards."""
    blob = berth.fleet.control.blob("fleet/policy.json")

    def ask(servable, shard):
        blob.upload_from_string(json.dumps({"moves": {"wanted": {servable: shard}}}))

    yield ask
    blob.delete()


@pytest.fixture
def served(berth, customer):
    """A model that serves, and the shard that it is not on."""
    berth.fleet.upload(e2e.HALF_PLUS_TWO, f"{customer}/own/1")
    servable = f"{customer}.own"
    berth.serves(servable, 1, e2e.TWO)
    return servable, other(berth, servable)


def document(berth, servable):
    return json.loads(berth.fleet.control.get_blob(f"models/{servable}.json").download_as_bytes())


def other(berth, servable):
    home = document(berth, servable)["shard"]
    return next(shard for shard in SHARDS if shard != home)


def moved(berth, servable, target):
    """Wait until a model has moved and its old shard has let go of it, with a tick every two seconds."""
    source = document(berth, servable)["shard"]
    old = f"shards/{source}/models/{servable}"

    def gone():
        berth.fleet.tick()
        now = document(berth, servable)
        left = berth.fleet.control.get_blob(old)
        return (now["shard"], now["target"]) == (target, None) and left is None

    until(f"{servable} has moved", gone, seconds=120, every=2.0)
    for replica in berth.fleet.replicas.ready(source):
        assert berth.versions(replica, servable, "AVAILABLE") == set()


def test_a_model_moves_under_load(berth, served, wanted):
    servable, target = served
    with berth.load(servable, (e2e.TWO,), targets=Routed(berth.fleet, servable)) as load:
        wanted(servable, target)
        moved(berth, servable, target)
    answered = {name for name, count in load.answered.items() if count}
    assert {replica.name for replica in berth.fleet.replicas.ready(target)} <= answered
    assert len(answered) >= 4, "both shards have answered"
    assert document(berth, servable)["move"]["outcome"] == "moved"
    berth.serves(servable, 1, e2e.TWO)
    assert berth.mail.of(servable, "model.retired") == []


def test_a_version_comes_while_its_model_moves(berth, served, wanted):
    servable, target = served
    routed = Routed(berth.fleet, servable)
    with berth.load(servable, (e2e.TWO, e2e.THREE), targets=routed):
        wanted(servable, target)
        berth.fleet.tick()
        until("it is on its way", lambda: document(berth, servable)["target"] == target)
        berth.fleet.upload(e2e.HALF_PLUS_THREE, f"{servable.replace('.', '/')}/2")
        moved(berth, servable, target)
        berth.serves(servable, 2, e2e.THREE)
    berth.mail.said_once(servable, "model.admitted", 2)


def test_through_the_router_nobody_notices_a_move(berth, served, wanted):
    servable, target = served
    router = Router(berth.stack.environment["BERTH_ROUTER_URL"])
    bearer = berth.key(servable.partition(".")[0])

    def answers():
        asked = f"{router.url}/v1/models/{servable}:predict"
        return berth.fleet.http.post(asked, json=e2e.QUESTION, headers=bearer, timeout=30).ok

    until("the router knows the key", answers)
    with berth.load(servable, (e2e.TWO,), targets=lambda: (router,), headers=bearer):
        wanted(servable, target)
        moved(berth, servable, target)
    assert document(berth, servable)["shard"] == target
