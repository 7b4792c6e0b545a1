"""Where the replicas are, as a router's sidecar is told: the memory twin, and a watch of a real API server."""

import json
import time

import pytest
import requests

from berth.adapters import kubernetes
from berth.adapters.kubernetes_watch import WatchedReplicas
from berth.adapters.memory_envoy import MemoryReplicas
from berth.domain.errors import Unavailable
from tests.support import access

PODS = "/api/v1/namespaces/default/pods"


class Twin:
    """The twin: what is set is known at once."""

    def __init__(self):
        self.replicas = MemoryReplicas()
        self._pods = {}

    def begin(self):
        self._tell()

    def place(self, name, shard):
        self._pods[name] = (shard, "")

    def run(self, name, address, *, ready=True):
        self._pods[name] = (self._pods[name][0], address if ready else "")
        self._tell()

    def delete(self, name):
        del self._pods[name]
        self._tell()

    def _tell(self):
        told = {}
        for shard, address in self._pods.values():
            if address:
                told.setdefault(shard, []).append(address)
        self.replicas.addresses = {shard: tuple(sorted(told[shard])) for shard in sorted(told)}

    def close(self):
        pass


class Cluster:
    """A real API server without nodes: the test says what a kubelet would."""

    def __init__(self, kubeconfig):
        self._endpoint, _, self._token = access.cluster(kubeconfig)
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = str(kubeconfig.parent / "certificates" / "ca.crt")
        self._client = access.client(kubeconfig)
        self.replicas = WatchedReplicas("default", self._client)

    def begin(self):
        self.replicas.start()

    def ask(self, method, path, body, kind="application/json"):
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": kind}
        answer = self._session.request(
            method, self._endpoint + path, data=json.dumps(body), headers=headers, timeout=10
        )
        assert answer.ok, answer.text

    def place(self, name, shard):
        labels = {kubernetes.SHARD_LABEL: shard} if shard else {}
        container = {"name": kubernetes.CONTAINER, "image": "none"}
        meta = {"name": name, "labels": labels}
        spec = {"containers": [container], "nodeName": "nowhere"}
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}
        self.ask("POST", PODS, body)

    def run(self, name, address, *, ready=True):
        condition = {"type": "Ready", "status": str(ready)}
        told = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}
        body = {"status": told | {"conditions": [condition]}}
        self.ask("PATCH", f"{PODS}/{name}/status", body, "application/merge-patch+json")

    def delete(self, name):
        self.ask("DELETE", f"{PODS}/{name}", {"gracePeriodSeconds": 0})

    def close(self):
        self.replicas.stop()
        self._client.close()
        self._session.close()


@pytest.fixture(params=["twin", "cluster"])
def world(request):
    made = Twin() if request.param == "twin" else Cluster(request.getfixturevalue("kubeconfig"))
    made.name = request.node.name.replace("[", "-").replace("]", "").replace("_", "-")[-40:]
    yield made
    made.close()


def told(world, wanted):
    """Wait as the sidecar does until the shards of this test have just these addresses."""
    end = time.monotonic() + 20
    while True:
        try:
            all_of_them = world.replicas.ready()
        except Unavailable:
            all_of_them = {}
        found = {key: value for key, value in all_of_them.items() if key.startswith(world.name)}
        if found == {f"{world.name}-{key}": value for key, value in wanted.items()}:
            return
        assert time.monotonic() < end, found
        world.replicas.wait(0.2)


def test_nothing_is_known_before_everything_was_read(world):
    with pytest.raises(Unavailable):
        world.replicas.ready()


def test_replicas_are_known_by_shard_as_they_come_and_go(world):
    one, two, three = (f"{world.name}-{number}" for number in (1, 2, 3))
    world.place(one, f"{world.name}-a")
    world.run(one, "10.1.0.9")
    world.begin()
    told(world, {"a": ("10.1.0.9",)})
    world.place(two, f"{world.name}-a")
    world.place(three, f"{world.name}-b")
    world.run(two, "10.1.0.10")
    world.run(three, "10.1.0.3", ready=False)
    told(world, {"a": ("10.1.0.10", "10.1.0.9")})
    world.run(three, "10.1.0.3")
    told(world, {"a": ("10.1.0.10", "10.1.0.9"), "b": ("10.1.0.3",)})
    world.run(one, "10.1.0.9", ready=False)
    told(world, {"a": ("10.1.0.10",), "b": ("10.1.0.3",)})
    world.delete(two)
    told(world, {"b": ("10.1.0.3",)})
    world.delete(three)
    told(world, {})


def test_a_pod_of_no_shard_is_no_replica(kubeconfig):
    world = Cluster(kubeconfig)
    world.name = "alone"
    try:
        world.place("alone", "")
        world.run("alone", "10.1.0.77")
        world.place("beside", "alone-a")
        world.run("beside", "10.1.0.78")
        world.begin()
        told(world, {"a": ("10.1.0.78",)})
        assert "10.1.0.77" not in str(world.replicas.ready())
    finally:
        world.close()


def test_what_was_known_stays_while_the_server_does_not_answer():
    client = kubernetes.connect(
        "https://127.0.0.1:9", access.another_authority(), lambda refused="": "t"
    )
    replicas = WatchedReplicas("default", client)
    replicas._pods = {}
    replicas.start()
    try:
        replicas.wait(1.2)
        assert replicas.ready() == {}
    finally:
        replicas.stop()
        client.close()
