"""The sidecar with a real Envoy under steady load: shards, replicas and versions change, and no request fails."""

import contextlib
import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
import requests

from berth.adapters.clock import SystemClock
from berth.adapters.envoy import FolderEnvoy
from berth.adapters.memory_envoy import MemoryReplicas
from berth.adapters.memory_objects import MemoryBuckets
from berth.app.route_fleet import RouteFleet
from berth.domain.routing import ModelRoute
from berth.protos.tfserving_pb2 import PredictRequest
from tests.support import door

NET = "127.132.9"
PREDICT = "/v1/models/acme.churn:predict"
AUTHORIZATION = {"authorization": f"Bearer {door.key('acme')}"}


class Standing:
    """A router: sidecar and Envoy, with as many replicas as a test starts."""

    def __init__(self, folder):
        self.door = door.Door(folder, f"{NET}.1")
        self.control = MemoryBuckets(SystemClock()).store("control")
        self.replicas = MemoryReplicas()
        self.replicas.addresses = {}
        envoy = FolderEnvoy(Path(self.door.site.folder), Path(self.door.site.admin))
        self.routing = RouteFleet(self.control, self.replicas, envoy, self.door.site, 512 * 1024**2)
        self.servers = {}

    def serve(self, last):
        """Start a replica."""
        self.servers[last] = door.Upstream(f"{NET}.{last}")

    def place(self, **shards):
        """Which replicas are ready, by shard."""
        self.replicas.addresses = {
            shard.replace("_", "-"): tuple(f"{NET}.{last}" for last in lasts)
            for shard, lasts in shards.items()
        }

    def route(self, name, **models):
        data = door.shard(name, **models).encode()
        self.control.put(f"routes/{name}.json", data, if_generation=None)

    def settle(self, **seen):
        """Rounds until there is nothing to write; then the model's answers must say `seen`."""
        end = time.monotonic() + 20
        while self.routing.round() or not self.says(seen):
            assert time.monotonic() < end, self.ask().text

    def ask(self, path=PREDICT):
        return requests.post(self.door.url + path, data=b"{}", headers=AUTHORIZATION, timeout=20)

    def says(self, seen):
        answer = self.ask()
        return answer.status_code == 200 and all(
            answer.json()[key] == value for key, value in seen.items()
        )

    def close(self):
        self.door.stop()
        for server in self.servers.values():
            server.close()


@pytest.fixture
def standing(tmp_path):
    made = Standing(tmp_path)
    yield made
    made.close()


class Load:
    """Clients that ask without a pause, by REST over kept connections and by gRPC; what failed is kept."""

    def __init__(self, made, clients=3):
        self.failed, self.count = [], itertools.count()
        self._made, self._stopping = made, threading.Event()
        self._pool = ThreadPoolExecutor(2 * clients)
        self._work = [self._pool.submit(self._rest) for _ in range(clients)]
        self._work += [self._pool.submit(self._grpc) for _ in range(clients)]

    def _rest(self):
        with requests.Session() as session:
            session.headers.update(AUTHORIZATION)
            while not self._stopping.is_set():
                answer = session.post(self._made.door.url + PREDICT, data=b"{}", timeout=20)
                if answer.status_code != 200:
                    self.failed.append(answer.text)
                next(self.count)

    def _grpc(self):
        asked = PredictRequest()
        asked.model_spec.name = "acme.churn"
        told = tuple(AUTHORIZATION.items())
        options = [("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(self._made.door.address, options=options) as channel:
            stub = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
            while not self._stopping.is_set():
                try:
                    stub(asked.SerializeToString(), metadata=told, timeout=20)
                except grpc.RpcError as error:
                    self.failed.append(str(error))
                next(self.count)

    def some(self, more=100):
        """Wait until that many requests more were answered."""
        target = next(self.count) + more
        while next(self.count) < target:
            time.sleep(0.02)

    def stop(self):
        self._stopping.set()
        for one in self._work:
            one.result()
        self._pool.shutdown()


@contextlib.contextmanager
def load(made):
    running = Load(made)
    try:
        running.some()
        yield running
        running.some()
    finally:
        running.stop()
    assert running.failed == []


def test_no_request_fails_whatever_changes(standing):
    churn = door.route("acme", 3)
    standing.serve(11)
    standing.serve(12)
    standing.place(s_1=[11, 12])
    standing.route("s-1", acme__churn=churn)
    standing.routing.round()
    standing.door.start()
    with load(standing) as clients:
        # a version changes
        standing.route("s-1", acme__churn=door.route("acme", 3, 4))
        standing.settle(path="/v1/models/acme.churn/versions/4:predict")
        # a rolling restart: another replica comes, an old one leaves, is drained and ends
        standing.serve(13)
        standing.place(s_1=[11, 12, 13])
        standing.settle()
        standing.place(s_1=[12, 13])
        standing.settle()
        clients.some()
        standing.servers.pop(11).close()
        clients.some()
        # a move to a shard that was not there before
        standing.serve(21)
        standing.place(s_1=[12, 13], s_2=[21])
        arriving = door.route("acme", 3, 4, arriving=True)
        standing.route("s-2", acme__churn=arriving)
        standing.settle()
        assert standing.ask().json()["server"] != f"{NET}.21"
        standing.route("s-2", acme__churn=door.route("acme", 3, 4, document=2))
        standing.route("s-1", acme__churn=ModelRoute(keys=arriving.keys))
        standing.settle(server=f"{NET}.21")
        # the old shard is removed
        standing.control.delete("routes/s-1.json")
        standing.place(s_2=[21])
        standing.settle(server=f"{NET}.21")
        clients.some()
        for last in (12, 13):
            standing.servers.pop(last).close()
        clients.some()


def test_a_replica_that_dies_unannounced_costs_only_what_it_had_in_hand(standing):
    """Nobody listens there any more: what could not be sent is sent to another."""
    standing.serve(11)
    standing.serve(12)
    standing.place(s_1=[11, 12])
    standing.route("s-1", acme__churn=door.route("acme", 3))
    standing.routing.round()
    standing.door.start()
    standing.servers.pop(11).close()
    answers = [standing.ask() for _ in range(60)]
    assert {one.status_code for one in answers} == {200}


def test_a_shard_without_replicas_is_told_to_come_again(standing):
    standing.place()
    standing.route("s-1", acme__churn=door.route("acme", 3))
    standing.routing.round()
    standing.door.start()
    answer = standing.ask()
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert "no healthy upstream" in answer.json()["error"]


def test_a_sent_request_is_never_sent_again(standing):
    """A predict that reached a server may have run: whatever it answers is the answer."""
    standing.serve(11)
    standing.servers[11].rest.status = 503
    standing.place(s_1=[11])
    standing.route("s-1", acme__churn=door.route("acme", 3))
    standing.routing.round()
    standing.door.start()
    assert standing.ask().status_code == 503
    assert len(standing.servers[11].seen) == 1
