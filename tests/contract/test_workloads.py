"""What Berth relies on in Kubernetes, on the memory twin and on a real API server without nodes."""

import time
import zlib

import pytest

from berth.adapters import kubernetes
from berth.adapters.clock import SystemClock
from berth.adapters.memory_workloads import MemoryWorkloads
from berth.domain.errors import Conflict, Denied, Retryable, Unavailable
from infra.local.kube_api import Api
from tests.support import access

NAMESPACE = "default"


class Twin:
    """The twin, whose time passes by ticks."""

    def __init__(self):
        self.workloads = MemoryWorkloads(SystemClock())

    def settle(self, condition):
        for _ in range(20):
            if condition():
                return
            self.workloads.tick()
        pytest.fail("the condition did not come true")


class Cluster:
    """The API server, whose controllers take their time."""

    def __init__(self, kubeconfig):
        self.client = access.client(kubeconfig)
        self.workloads = kubernetes.KubernetesWorkloads(NAMESPACE, self.client)

    def settle(self, condition):
        deadline = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.fixture(params=["twin", "cluster"])
def world(request):
    if request.param == "twin":
        yield Twin()
        return
    made = Cluster(request.getfixturevalue("kubeconfig"))
    yield made
    made.client.close()


@pytest.fixture
def workloads(world):
    return world.workloads


@pytest.fixture
def shard(request):
    return f"s{zlib.crc32(request.node.nodeid.encode())}"


def service(shard, **facts):
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": shard, **facts},
        "spec": {"selector": {kubernetes.SHARD_LABEL: shard}, "ports": [{"port": 8500}]},
    }


def deployment(shard, image="server:1"):
    labels = {kubernetes.SHARD_LABEL: shard}
    container = {"name": kubernetes.CONTAINER, "image": image}
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": shard},
        "spec": {
            "strategy": strategy,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def autoscaler(shard, least):
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": shard}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": shard},
        "spec": {"scaleTargetRef": target, "minReplicas": least, "maxReplicas": 4},
    }


def budget(shard):
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": shard},
        "spec": {
            "maxUnavailable": 1,
            "selector": {"matchLabels": {kubernetes.SHARD_LABEL: shard}},
        },
    }


def version(workloads, shard, kind="Service"):
    return workloads.observe(shard).objects[kind]["metadata"]["resourceVersion"]


def test_what_is_not_there_is_none(workloads, shard):
    seen = workloads.observe(shard)
    assert seen.objects == dict.fromkeys(kubernetes.PATHS)
    assert seen.pods == workloads.pods(shard) == ()


def test_what_was_applied_is_observed(workloads, shard):
    for manifest in (service(shard), autoscaler(shard, 2), budget(shard)):
        workloads.apply(manifest)
    objects = workloads.observe(shard).objects
    assert objects["Service"]["spec"]["ports"][0]["port"] == 8500
    assert objects["HorizontalPodAutoscaler"]["spec"]["minReplicas"] == 2
    assert objects["PodDisruptionBudget"]["spec"]["maxUnavailable"] == 1
    assert objects["Deployment"] is None
    assert all(found["metadata"]["resourceVersion"] for found in objects.values() if found)


def test_the_same_again_changes_nothing(workloads, shard):
    workloads.apply(service(shard))
    before = version(workloads, shard)
    workloads.apply(service(shard))
    assert version(workloads, shard) == before


def test_an_apply_over_what_was_not_observed_is_refused(workloads, shard):
    workloads.apply(service(shard))
    stale = version(workloads, shard)
    workloads.apply(service(shard, annotations={"a": "1"}))
    with pytest.raises(Conflict):
        workloads.apply(service(shard, annotations={"a": "2"}, resourceVersion=stale))
    assert workloads.observe(shard).objects["Service"]["metadata"]["annotations"] == {"a": "1"}
    fresh = version(workloads, shard)
    workloads.apply(service(shard, annotations={"a": "2"}, resourceVersion=fresh))
    assert workloads.observe(shard).objects["Service"]["metadata"]["annotations"] == {"a": "2"}


def test_an_object_that_is_gone_is_created_whatever_was_expected(workloads, shard):
    workloads.apply(service(shard, resourceVersion="7"))
    assert workloads.observe(shard).objects["Service"] is not None


def test_a_field_that_is_no_longer_applied_goes(workloads, shard):
    workloads.apply(service(shard, annotations={"a": "1", "b": "2"}))
    workloads.apply(service(shard, annotations={"a": "1"}))
    assert workloads.observe(shard).objects["Service"]["metadata"]["annotations"] == {"a": "1"}


def test_the_autoscaler_owns_the_number_of_pods(world, workloads, shard):
    workloads.apply(deployment(shard))
    workloads.apply(autoscaler(shard, 3))
    world.settle(lambda: len(workloads.pods(shard)) == 3)
    workloads.apply(deployment(shard))
    assert workloads.observe(shard).objects["Deployment"]["spec"]["replicas"] == 3
    pods = workloads.pods(shard)
    assert [pod.name for pod in pods] == sorted(pod.name for pod in pods)
    assert len({pod.uid for pod in pods}) == 3
    assert workloads.observe(shard).pods == workloads.pods(shard)
    assert workloads.pods(f"{shard}0") == ()


def test_a_new_pod_is_not_ready_and_has_not_started(world, workloads, shard):
    workloads.apply(deployment(shard))
    world.settle(lambda: len(workloads.pods(shard)) == 1)
    (pod,) = workloads.pods(shard)
    assert (pod.ready, pod.terminating, pod.restarts, pod.started_at, pod.address) == (
        False,
        False,
        0,
        None,
        "",
    )


def test_a_deleted_pod_is_replaced_by_another(world, workloads, shard):
    workloads.apply(deployment(shard))
    world.settle(lambda: len(workloads.pods(shard)) == 1)
    (pod,) = workloads.pods(shard)
    workloads.delete_pod(pod.name, uid="another")
    workloads.delete_pod(f"{pod.name}-gone", uid=pod.uid)
    assert [found.uid for found in workloads.pods(shard)] == [pod.uid]
    workloads.delete_pod(pod.name, uid=pod.uid)
    world.settle(lambda: [found.uid for found in workloads.pods(shard)] not in ([pod.uid], []))
    world.settle(lambda: pod.uid not in [found.uid for found in workloads.pods(shard)])
    assert len(workloads.pods(shard)) == 1


def uid(workloads, shard, kind):
    return workloads.observe(shard).objects[kind]["metadata"]["uid"]


def test_what_is_deleted_is_gone_and_anything_else_stays(workloads, shard):
    for manifest in (service(shard), autoscaler(shard, 2), budget(shard)):
        workloads.apply(manifest)
    for kind in ("Service", "HorizontalPodAutoscaler", "PodDisruptionBudget"):
        workloads.delete(kind, shard, uid="another")
        assert workloads.observe(shard).objects[kind] is not None
        mine = uid(workloads, shard, kind)
        workloads.delete(kind, shard, uid=mine)
        assert workloads.observe(shard).objects[kind] is None
        workloads.delete(kind, shard, uid=mine)
    workloads.apply(service(shard))
    assert workloads.observe(shard).objects["Service"] is not None


def test_the_pods_of_a_deleted_deployment_go_after_it(world, workloads, shard):
    workloads.apply(autoscaler(shard, 2))
    workloads.apply(deployment(shard))
    world.settle(lambda: len(workloads.pods(shard)) == 2)
    workloads.delete("Deployment", shard, uid=uid(workloads, shard, "Deployment"))
    assert workloads.observe(shard).objects["Deployment"] is None
    world.settle(lambda: not workloads.pods(shard))


def test_a_changed_template_surges_before_it_removes(world, workloads, shard):
    workloads.apply(deployment(shard))
    world.settle(lambda: len(workloads.pods(shard)) == 1)
    before = {pod.name for pod in workloads.pods(shard)}
    workloads.apply(deployment(shard, image="server:2"))
    world.settle(lambda: {pod.name for pod in workloads.pods(shard)} - before)


def test_what_a_node_reports_is_read(kubeconfig, shard):
    world = Cluster(kubeconfig)
    api = Api(kubeconfig)
    world.workloads.apply(deployment(shard))
    world.settle(lambda: len(world.workloads.pods(shard)) == 1)
    (pod,) = world.workloads.pods(shard)
    running = {
        "name": kubernetes.CONTAINER,
        "image": "x",
        "imageID": "x",
        "ready": True,
        "restartCount": 2,
        "state": {"running": {"startedAt": "2026-11-21T06:30:00Z"}},
    }
    status = {
        "podIP": "127.9.8.7",
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "True"}],
        "containerStatuses": [running],
    }
    path = f"/api/v1/namespaces/{NAMESPACE}/pods/{pod.name}/status"
    api.patch(path, {"status": status})
    (pod,) = world.workloads.pods(shard)
    assert (pod.address, pod.ready, pod.restarts, pod.reason) == ("127.9.8.7", True, 2, "")
    assert pod.started_at.isoformat() == "2026-11-21T06:30:00+00:00"
    assert pod.key == f"{pod.uid}/2"
    running["state"] = {"running": None, "waiting": {"reason": "CrashLoopBackOff"}}
    api.patch(path, {"status": {"containerStatuses": [running]}})
    (pod,) = world.workloads.pods(shard)
    assert (pod.started_at, pod.reason) == (None, "CrashLoopBackOff")
    api.close()
    world.client.close()


def test_a_namespace_that_is_missing_is_an_operators_matter(kubeconfig, shard):
    client = access.client(kubeconfig)
    with pytest.raises(Denied):
        kubernetes.KubernetesWorkloads("nowhere", client).apply(service(shard))
    client.close()


def test_a_manifest_that_is_refused_says_why(kubeconfig, shard):
    client = access.client(kubeconfig)
    wrong = {**service(shard), "spec": {"ports": [{"port": -1}]}}
    with pytest.raises(Retryable, match="422"):
        kubernetes.KubernetesWorkloads(NAMESPACE, client).apply(wrong)
    client.close()


def test_an_unknown_user_is_denied(kubeconfig, shard):
    client = access.client(kubeconfig, token="wrong")
    with pytest.raises(Denied):
        kubernetes.KubernetesWorkloads(NAMESPACE, client).observe(shard)
    client.close()


def test_figures_that_nobody_serves_are_unknown_not_zero(world, workloads, shard):
    if isinstance(world, Twin):
        workloads.figures.served = False
    with pytest.raises(Unavailable):
        workloads.usage(shard)
