"""How a container's end is told: by the memory twin, and by an API server told as a node tells it."""

import time
import zlib
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from berth.adapters import kubernetes
from berth.adapters.clock import SystemClock
from berth.adapters.memory_workloads import MemoryWorkloads
from infra.local.kube_api import Api
from infra.local.node import status
from tests.contract.test_workloads import NAMESPACE, deployment
from tests.support import access

BEGUN = "2026-11-21T06:30:00Z"


class Twin:
    """Pods of the twin."""

    def __init__(self):
        self.workloads = MemoryWorkloads(SystemClock())

    def pod(self, shard):
        return next(pod for pod in self.workloads.pods(shard) if pod.name == self.name)

    def start(self, shard):
        self.workloads.apply(deployment(shard))
        self.workloads.tick(3)
        (pod,) = self.workloads.pods(shard)
        self.name = pod.name

    def end(self, code, oom):
        self.workloads.restart(self.name, status.reason(code, oom), code)

    def start_again(self):
        self.workloads.tick(2)

    def evict(self):
        self.workloads.evict(self.name)

    def close(self):
        """Nothing runs."""


class Told:
    """A pod of a real API server, whose status is written as infra/local/node writes it."""

    def __init__(self, kubeconfig):
        self.client = access.client(kubeconfig)
        self.api = Api(kubeconfig)
        self.workloads = kubernetes.KubernetesWorkloads(NAMESPACE, self.client)

    def pod(self, shard):
        return next(pod for pod in self.workloads.pods(shard) if pod.name == self.name)

    def start(self, shard):
        self.workloads.apply(deployment(shard))
        deadline = time.monotonic() + 20
        while not self.workloads.pods(shard):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        self.name = self.workloads.pods(shard)[0].name
        self.seen = status.Observed(
            kubernetes.CONTAINER,
            "server:1",
            status.running(BEGUN),
            started=True,
            ready=True,
            identity="berth://1",
        )
        self._report()

    def end(self, code, oom):
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        ended = status.terminated(code, status.reason(code, oom), (BEGUN, now), "berth://1")
        self._see(state=ended, ready=False, started=False)

    def start_again(self):
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        self._see(
            state=status.running(now),
            last_state=self.seen.state,
            restarts=self.seen.restarts + 1,
            ready=True,
        )

    def evict(self):
        self.end(137, oom=False)
        self._report(phase="Failed", reason="Evicted", message="The node was low on memory.")

    def close(self):
        self.api.close()
        self.client.close()

    def _see(self, **changes):
        self.seen = replace(self.seen, **changes)
        self._report()

    def _report(self, **more):
        conditions = status.conditions([self.seen], (), BEGUN)
        body = status.pod_status(
            [self.seen],
            policy="Always",
            address="127.9.8.6",
            started=BEGUN,
            conditions=conditions,
        )
        path = f"/api/v1/namespaces/{NAMESPACE}/pods/{self.name}/status"
        self.api.patch(path, {"status": body | more})


@pytest.fixture(params=["twin", "told"])
def node(request):
    made = Twin() if request.param == "twin" else Told(request.getfixturevalue("kubeconfig"))
    yield made
    made.close()


@pytest.fixture
def shard(request, node):
    name = f"s{zlib.crc32(request.node.nodeid.encode())}"
    node.start(name)
    return name


ENDS = {
    "segmentation fault": (139, False, "Error"),
    "out of its own memory": (137, True, "OOMKilled"),
    "SIGKILL from outside": (137, False, "Error"),
    "boot config failed": (255, False, "Error"),
    "left by itself": (0, False, "Completed"),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_an_end_is_told_before_and_after_the_restart(node, shard, end):
    code, oom, reason = end
    before = datetime.now(UTC)
    first = node.pod(shard)
    assert (first.ready, first.restarts, first.exit) == (True, 0, None)
    node.end(code, oom)
    ended = node.pod(shard)
    assert (ended.exit.code, ended.exit.reason) == (code, reason)
    assert (ended.ready, ended.restarts, ended.started_at) == (False, 0, None)
    assert (ended.reason, ended.key) == (reason, first.key)
    node.start_again()
    again = node.pod(shard)
    assert again.exit == ended.exit
    assert (again.ready, again.restarts, again.reason) == (True, 1, "")
    assert again.key == f"{first.uid}/1"
    assert -1 <= (again.exit.at - before).total_seconds() < 20
    assert again.exit.at <= again.started_at


def test_an_evicted_pod_fails_for_good(node, shard):
    before = node.pod(shard)
    node.evict()
    evicted = node.pod(shard)
    assert (evicted.terminating, evicted.serving, evicted.restarts) == (True, False, 0)
    assert (evicted.exit.code, evicted.exit.reason, evicted.reason) == (137, "Error", "Error")
    assert evicted.key == before.key
