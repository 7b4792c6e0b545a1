"""Pods of a real control plane as processes: what a kubelet promises, seen through the API."""

import json
import os
import signal
import time
import urllib.request
from datetime import datetime
from pathlib import Path

import pytest
import yaml

from berth.domain import workload
from infra.local import kubernetes
from infra.local.kube_api import Api, ApiError
from infra.local.node import leftovers
from tests.support import node_cluster
from tests.support.node_cluster import until

GCSFUSE = "gcsfuse.csi.storage.gke.io"
POD_SECURITY = {
    "runAsNonRoot": True,
    "runAsUser": 65532,
    "seccompProfile": {"type": "RuntimeDefault"},
}


@pytest.fixture(scope="module")
def control_plane(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kubernetes")
    with node_cluster.running(folder) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def cluster(control_plane):
    with control_plane.agents:
        control_plane.start_agent()
        yield control_plane
    assert control_plane.agent.returncode == 0, (control_plane.folder / "node.log").read_text()
    assert not control_plane.processes()
    group = leftovers.group(control_plane.state)
    assert not [*Path("/sys/fs/cgroup").glob(f"*/{group}"), *Path("/sys/fs/cgroup").glob(group)]
    assert str(control_plane.folder) not in Path("/proc/mounts").read_text()


def deployment(name, replicas=1, grace=5, pod=None, **container):
    ports = container.pop("ports", 9000)
    spec = {
        "name": "tiny",
        "image": "tiny:1",
        "args": [f"--port={ports}"],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": ports}, "periodSeconds": 1},
        **container,
    }
    labels = {"app": name}
    template = {
        "metadata": {"labels": labels},
        "spec": {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": grace,
            "securityContext": POD_SECURITY,
            "containers": [spec],
            **(pod or {}),
        },
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "strategy": {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": template,
        },
    }


@pytest.fixture
def deploy(cluster):
    """Apply a Deployment; it and its pods are gone after the test."""
    names = []

    def create(name, **rest):
        names.append(name)
        cluster.api.post("/apis/apps/v1/namespaces/default/deployments", deployment(name, **rest))

    yield create
    for name in names:
        cluster.api.delete(
            f"/apis/apps/v1/namespaces/default/deployments/{name}",
            {"propagationPolicy": "Background"},
        )
        until(lambda name=name: not cluster.pods(name))


def ask(pod, path, port=9000):
    url = f"http://{pod['status']['podIP']}:{port}{path}"
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.read().decode()


def container_status(pod):
    return pod["status"]["containerStatuses"][0]


def one(cluster, app, condition, seconds=20.0):
    """The only pod of an app once `condition` holds of its container's status."""

    def look():
        pods = cluster.pods(app)
        good = [
            p for p in pods if "containerStatuses" in p["status"] and condition(container_status(p))
        ]
        return good[0] if len(pods) == 1 and good else None

    return until(look, seconds)


def test_a_pod_becomes_ready_as_a_kubelet_reports_it(cluster, deploy):
    begun = time.monotonic()
    deploy("plain", replicas=2)
    first, second = until(lambda: cluster.ready("plain", 2))
    assert time.monotonic() - begun < 5
    status = first["status"]
    assert status["phase"] == "Running"
    assert {each["type"]: each["status"] for each in status["conditions"]} == dict.fromkeys(
        ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"],
        "True",
    )
    assert status["podIP"] != second["status"]["podIP"]
    assert status["podIP"].startswith(cluster.network)
    told = container_status(first)
    assert (told["ready"], told["started"], told["restartCount"]) == (True, True, 0)
    assert "running" in told["state"]
    assert ask(first, "/id").split()[0] == "65532"


def test_grpc_startup_and_readiness_probes_gate_readiness(cluster, deploy):
    probe = {"grpc": {"port": 9001}, "periodSeconds": 1}
    deploy(
        "health",
        args=["--port=9000", "--health=9001"],
        startupProbe={**probe, "failureThreshold": 30},
        readinessProbe=probe,
    )
    pod = until(lambda: cluster.ready("health"))[0]
    assert container_status(pod)["started"] is True


def test_arguments_expand_the_downward_api(cluster, deploy):
    field = {"fieldRef": {"fieldPath": "metadata.name"}}
    deploy(
        "downward",
        args=["--port=$(PORT)"],
        env=[
            {"name": "PORT", "value": "9000"},
            {"name": "NAME", "valueFrom": field},
            {"name": "TOLD", "value": "$(NAME)!"},
        ],
    )
    pod = until(lambda: cluster.ready("downward"))[0]
    assert ask(pod, "/environment?name=TOLD") == pod["metadata"]["name"] + "!"


def test_a_killed_process_starts_again_and_then_backs_off(cluster, deploy):
    deploy("killed")
    pod = until(lambda: cluster.ready("killed"))[0]
    for count in (1, 2):
        os.kill(int(ask(pod, "/id").split()[1]), signal.SIGKILL)
        if count == 2:  # the first restart is immediate, as the kubelet's is
            seen = one(cluster, "killed", lambda told: "waiting" in told["state"])
            assert container_status(seen)["state"]["waiting"]["reason"] == "CrashLoopBackOff"
            assert seen["status"]["phase"] == "Running"
            assert not node_cluster.is_ready(seen)
        one(cluster, "killed", lambda told, n=count: told["restartCount"] == n and told["ready"])
    told = container_status(cluster.pods("killed")[0])
    assert told["lastState"]["terminated"]["exitCode"] == 137
    assert told["lastState"]["terminated"]["reason"] == "Error"


def test_an_exit_code_is_reported(cluster, deploy):
    deploy("exits", args=["--port=not-a-number"])
    pod = one(cluster, "exits", lambda told: told["lastState"])
    assert container_status(pod)["lastState"]["terminated"]["exitCode"] == 2
    assert "invalid int value" in (cluster.state / pod["metadata"]["name"] / "tiny.log").read_text()


def test_memory_beyond_the_limit_is_an_oom_kill(cluster, deploy):
    deploy("hungry", resources={"limits": {"memory": "64Mi"}})
    pod = until(lambda: cluster.ready("hungry"))[0]
    with pytest.raises(OSError):
        ask(pod, "/hog")
    after = one(cluster, "hungry", lambda told: told["restartCount"] == 1)
    ended = container_status(after)["lastState"]["terminated"]
    assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)


def test_deletion_runs_the_hook_then_asks_then_kills(cluster, deploy):
    deploy(
        "stubborn",
        grace=3,
        args=["--port=9000", "--stubborn"],
        lifecycle={"preStop": {"sleep": {"seconds": 1}}},
    )
    pod = until(lambda: cluster.ready("stubborn"))[0]
    begun = time.time()
    cluster.api.delete(f"/api/v1/namespaces/default/pods/{pod['metadata']['name']}")
    gone = pod["metadata"]["uid"]
    until(lambda: all(each["metadata"]["uid"] != gone for each in cluster.pods("stubborn")))
    ended = time.time()
    log = (cluster.state / pod["metadata"]["name"] / "tiny.log").read_text().split()
    asked = float(log[log.index("terminated") + 1])
    assert 0.9 < asked - begun < 2
    assert 2.5 < ended - begun < 5


def test_a_forced_deletion_kills_the_process(cluster, deploy):
    deploy("forced", args=["--port=9000", "--stubborn"], grace=30)
    pod = until(lambda: cluster.ready("forced"))[0]
    process = Path("/proc") / ask(pod, "/id").split()[1]
    cluster.api.delete(
        f"/api/v1/namespaces/default/pods/{pod['metadata']['name']}", {"gracePeriodSeconds": 0}
    )
    until(lambda: not process.exists(), 3)


def test_a_failing_liveness_probe_restarts_the_container(cluster, deploy):
    probe = {"exec": {"command": ["/usr/bin/test", "!", "-e", "/scratch/sick"]}}
    deploy(
        "live",
        livenessProbe={**probe, "periodSeconds": 1, "failureThreshold": 1},
        volumeMounts=[{"name": "scratch", "mountPath": "/scratch"}],
        pod={"volumes": [{"name": "scratch", "emptyDir": {}}]},
    )
    pod = until(lambda: cluster.ready("live"))[0]
    assert ask(pod, "/write?path=/scratch/sick") == "written"
    one(cluster, "live", lambda told: told["restartCount"] >= 1)


def test_a_rolling_restart_replaces_every_pod_and_keeps_enough_ready(cluster, deploy):
    deploy("rolling", replicas=2)
    before = {pod["metadata"]["uid"] for pod in until(lambda: cluster.ready("rolling", 2))}
    patch = {"spec": {"template": {"metadata": {"annotations": {"berth.dev/restart-at": "now"}}}}}
    cluster.api.patch("/apis/apps/v1/namespaces/default/deployments/rolling", patch)
    fewest = 2

    def replaced():
        nonlocal fewest
        pods = cluster.pods("rolling")
        good = [
            p for p in pods if node_cluster.is_ready(p) and "deletionTimestamp" not in p["metadata"]
        ]
        fewest = min(fewest, len(good))
        uids = {pod["metadata"]["uid"] for pod in pods}
        return len(good) == len(pods) == 2 and not uids & before

    until(replaced)
    assert fewest == 2


def bucket_volume(name, bucket, options):
    attributes = {"bucketName": bucket, "mountOptions": options}
    csi = {"driver": GCSFUSE, "readOnly": True, "volumeAttributes": attributes}
    return {"name": name, "csi": csi}


def test_buckets_are_mounted_read_only_and_show_what_comes_later(cluster, deploy):
    deploy(
        "mounts",
        volumeMounts=[
            {"name": "models", "mountPath": "/models"},
            {"name": "boot", "mountPath": "/boot"},
            {"name": "map", "mountPath": "/settings"},
        ],
        pod={
            "volumes": [
                bucket_volume("models", "models", "implicit-dirs"),
                bucket_volume("boot", "control", "only-dir=shards/s/boot"),
                {"name": "map", "configMap": {"name": "settings"}},
            ]
        },
    )
    one(cluster, "mounts", lambda told: "not found" in json.dumps(told["state"]))
    cluster.api.post(
        "/api/v1/namespaces/default/configmaps",
        {"metadata": {"name": "settings"}, "data": {"a.txt": "from a map"}},
    )
    pod = until(lambda: cluster.ready("mounts"))[0]
    assert ask(pod, "/ls?path=/boot") == ""
    (cluster.buckets / "control/shards/s/boot/models.config").write_text("model_config_list {}")
    (cluster.buckets / "models/a/1").mkdir(parents=True)
    assert ask(pod, "/read?path=/boot/models.config") == "model_config_list {}"
    assert ask(pod, "/ls?path=/models/a") == "1"
    assert ask(pod, "/read?path=/settings/a.txt") == "from a map"
    for place in ("/models/x", "/boot/x", "/x", "/etc/x", "/tmp/x"):
        assert ask(pod, f"/write?path={place}") == "Read-only file system"
    assert not Path("/models").exists()


def test_an_unknown_image_waits_with_its_reason(cluster, deploy):
    deploy("unknown", image="nobody/knows:1")
    pod = one(cluster, "unknown", lambda told: "BackOff" in json.dumps(told["state"]))
    assert container_status(pod)["state"]["waiting"]["reason"] == "ImagePullBackOff"
    assert pod["status"]["phase"] == "Pending"


def test_top_shows_real_figures_and_the_autoscaler_acts(cluster, deploy):
    deploy("busy", resources={"requests": {"cpu": "100m"}, "limits": {"memory": "200Mi"}})
    pod = until(lambda: cluster.ready("busy"))[0]
    target = {"type": "Utilization", "averageUtilization": 50}
    scaler = {
        "metadata": {"name": "busy"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "busy"},
            "maxReplicas": 2,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
        },
    }
    scalers = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers"
    cluster.api.post(scalers, scaler)
    name = pod["metadata"]["name"]

    def figures():
        usage = cluster.api.get(f"/apis/metrics.k8s.io/v1beta1/namespaces/default/pods/{name}")[
            "containers"
        ][0]["usage"]
        return int(usage["cpu"][:-1]) / 1e9, int(usage["memory"][:-2]) / 1024

    def busy():
        ask(pod, "/spin?seconds=1")
        return figures()[0] > 0.3

    until(busy, 30)
    assert 3 < figures()[1] < 150
    assert name in cluster.kubectl("top", "pods", "--no-headers")
    until(lambda: ask(pod, "/spin?seconds=1") and len(cluster.pods("busy")) == 2, 30)
    cluster.api.delete(f"{scalers}/busy")


def test_the_function_account_may_do_its_work_and_nothing_else(cluster):
    target = cluster.folder / "reconcile-shard.kubeconfig"
    kubernetes.function_kubeconfig(cluster.kubeconfig, "berth-reconcile-shard", target)
    api = Api(target)
    try:
        apply_shard(api)
        assert api.get("/api/v1/namespaces/berth/pods")["kind"] == "PodList"
        deployments = "/apis/apps/v1/namespaces/berth/deployments"
        for call in (
            lambda: api.delete(f"{deployments}/shard"),
            lambda: api.get("/api/v1/namespaces/berth/secrets"),
            lambda: api.get("/api/v1/namespaces/default/pods"),
            lambda: api.get("/api/v1/nodes"),
            lambda: api.patch(f"{deployments}/shard/scale", {"spec": {"replicas": 9}}),
        ):
            with pytest.raises(ApiError) as refused:
                call()
            assert refused.value.status == 403
    finally:
        api.close()
        cluster.kubectl("delete", "deployment,service,hpa,pdb", "--all", "-n", "berth")
    lines = [json.loads(line) for line in (cluster.folder / "audit.log").read_text().splitlines()]
    mine = {
        (line["verb"], line["objectRef"]["resource"])
        for line in lines
        if line["user"]["username"] == "system:serviceaccount:berth:berth-reconcile-shard"
        and line["responseStatus"]["code"] < 300
    }
    assert mine == {
        ("patch", "deployments"),
        ("patch", "services"),
        ("patch", "horizontalpodautoscalers"),
        ("patch", "poddisruptionbudgets"),
    }


def apply_shard(api):
    groups = {
        "deployment": "/apis/apps/v1/namespaces/berth/deployments/shard",
        "service": "/api/v1/namespaces/berth/services/shard",
        "hpa": "/apis/autoscaling/v2/namespaces/berth/horizontalpodautoscalers/shard",
        "pdb": "/apis/policy/v1/namespaces/berth/poddisruptionbudgets/shard",
    }
    for name, path in groups.items():
        text = (node_cluster.ROOT / "k8s" / "shard" / f"{name}.yaml").read_text()
        manifest = yaml.safe_load(text)
        api.apply(path, manifest, "berth")
        assert not workload.drifted(manifest, api.get(path)), "the API server spells it otherwise"
    until(lambda: api.get("/api/v1/namespaces/berth/pods")["items"])  # Pod Security let them in


def test_an_agent_that_died_leaves_nothing_to_the_next(cluster, deploy):
    deploy("orphan")
    pod = until(lambda: cluster.ready("orphan"))[0]
    orphan = Path("/proc") / ask(pod, "/id").split()[1]
    cluster.agent.kill()
    cluster.agent.wait()
    assert orphan.exists()
    cluster.start_agent()
    after = one(cluster, "orphan", lambda told: told["ready"] and told["restartCount"] == 1)
    assert not orphan.exists()
    assert after["status"]["podIP"] == pod["status"]["podIP"]
    assert container_status(after)["lastState"]["terminated"]["reason"] == "ContainerStatusUnknown"


def test_transition_times_are_those_of_the_change(cluster, deploy):
    deploy("times")
    pod = until(lambda: cluster.ready("times"))[0]
    created = datetime.fromisoformat(pod["metadata"]["creationTimestamp"])
    for condition in pod["status"]["conditions"]:
        changed = datetime.fromisoformat(condition["lastTransitionTime"])
        assert 0 <= (changed - created).total_seconds() < 10
