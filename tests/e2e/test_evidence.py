"""What a restart by evidence goes by: the real figures of the servers, and how the status tells of it."""

from berth.adapters.clock import SystemClock
from berth.adapters.kubernetes import KubernetesWorkloads
from berth.app.weighing import Scales
from berth.domain.placement import BASE_BYTES
from tests.support import access
from tests.support.e2e import until

MIB = 1024**2


def test_each_replica_has_a_figure_and_none_speaks_against_it(berth):
    client = access.client(berth.stack.environment["KUBECONFIG"])
    workloads = KubernetesWorkloads("berth", client)
    shards = berth.fleet.ask("/fleet")["shards"]
    scales = Scales(workloads, SystemClock())
    for shard in shards:
        ready = {replica.name for replica in berth.fleet.replicas.ready(shard)}
        _until_told(workloads, shard, ready)
        used = workloads.usage(shard)
        assert all(20 * MIB < used[name] < BASE_BYTES for name in ready), used
        assert scales.held(shard, workloads.pods(shard)) == {}, "one figure alone says nothing"
    client.close()
    rows = [row for shape in shards.values() for row in shape["replicas"]]
    assert {row["evidence"] for row in rows} == {""}
    assert not [line for line in berth.entries("reconcile_shard", message="memory unknown")]


def _until_told(workloads, shard, ready):
    until("every ready replica has a figure", lambda: ready <= set(workloads.usage(shard)))
