"""Kubernetes in simulated time: a namespace of its own for each shard, stepped while something moves in it."""

from berth.adapters.memory_runtime import Runtime
from berth.adapters.memory_workloads import MemoryWorkloads
from tests.simulation.kernel import Kernel, KernelClock

STEP = 1.0
# Steps without a change before a shard counts as quiet.
QUIET = 3
PODS_A_SHARD = 1000


class Pods:
    """The runtime of one shard: its servers, at addresses that no other shard has."""

    def __init__(self, cluster: "Cluster", shard: str) -> None:
        self.cluster, self.shard = cluster, shard

    def start(self, shard, pod) -> None:
        config = self.cluster.boot_config(self.shard)
        if config is not None:
            self.cluster.servers.boot(pod.address, config)

    def ready(self, shard, pod) -> bool:
        return self.cluster.servers.up(pod.address)

    def exited(self, shard, pod):
        return None

    def stop(self, shard, pod) -> None:
        self.cluster.servers.stop(pod.address)


class Cluster:
    """The Workloads port of all shards."""

    def __init__(self, kernel: Kernel, servers, boot_config) -> None:
        self.kernel, self.servers, self.boot_config = kernel, servers, boot_config
        self.shards: dict[str, MemoryWorkloads] = {}
        self.moving: dict[str, int] = {}

    def of(self, shard: str) -> MemoryWorkloads:
        if shard not in self.shards:
            runtime: Runtime = Pods(self, shard)
            self.shards[shard] = MemoryWorkloads(KernelClock(self.kernel), runtime)
            self.shards[shard]._born = len(self.shards) * PODS_A_SHARD
        return self.shards[shard]

    def observe(self, shard):
        return self.of(shard).observe(shard)

    def pods(self, shard):
        return self.of(shard).pods(shard)

    def usage(self, shard):
        return self.of(shard).usage(shard)

    def apply(self, manifest):
        shard = str(manifest["metadata"]["name"])
        self.of(shard).apply(manifest)
        self.stir(shard)

    def delete_pod(self, name, *, uid):
        shard = name.rsplit("-", 1)[0]
        self.of(shard).delete_pod(name, uid=uid)
        self.stir(shard)

    def stir(self, shard: str) -> None:
        """Step a shard each second until nothing moves in it."""
        if shard not in self.moving:
            self.kernel.at(self.kernel.now + STEP, lambda: self._step(shard))
        self.moving[shard] = QUIET

    def _step(self, shard: str) -> None:
        workloads = self.of(shard)
        before = workloads.pods(shard)
        workloads.tick()
        after = workloads.pods(shard)
        moves = before != after or not all(pod.ready for pod in after)
        self.moving[shard] = QUIET if moves else self.moving[shard] - 1
        if self.moving[shard]:
            self.kernel.at(self.kernel.now + STEP, lambda: self._step(shard))
        else:
            del self.moving[shard]
