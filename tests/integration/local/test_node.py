"""Pods of a real control plane as processes: what a kubelet promises, seen through the API."""

import json
import os
import signal
import time
from datetime import datetime
from pathlib import Path

import pytest

from tests.support import node_cluster
from tests.support.node_cluster import until
from tests.support.pods import ask, container_status, one


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


def test_an_unknown_image_waits_with_its_reason(cluster, deploy):
    deploy("unknown", image="nobody/knows:1")
    pod = one(cluster, "unknown", lambda told: "BackOff" in json.dumps(told["state"]))
    assert container_status(pod)["state"]["waiting"]["reason"] == "ImagePullBackOff"
    assert pod["status"]["phase"] == "Pending"


def test_the_next_agent_takes_over_what_runs_and_ends_what_nobody_wants(cluster, deploy):
    deploy("kept")
    deploy("unwanted")
    pod = until(lambda: cluster.ready("kept"))[0]
    unwanted = until(lambda: cluster.ready("unwanted"))[0]
    kept, ended = (Path("/proc") / ask(one, "/id").split()[1] for one in (pod, unwanted))
    cluster.agent.kill()
    cluster.agent.wait()
    name = unwanted["metadata"]["name"]
    delete = {"gracePeriodSeconds": 0}
    cluster.api.delete(f"/api/v1/namespaces/default/pods/{name}", delete)
    cluster.start_agent()
    until(lambda: not alive(ended))
    until(lambda: cluster.ready("unwanted"))
    assert alive(kept)
    after = cluster.ready("kept")[0]
    assert container_status(after) == container_status(pod)
    assert after["status"]["conditions"] == pod["status"]["conditions"]

    os.kill(int(kept.name), signal.SIGKILL)
    again = one(cluster, "kept", lambda told: told["ready"] and told["restartCount"] == 1)
    assert again["status"]["podIP"] == pod["status"]["podIP"]
    assert container_status(again)["lastState"]["terminated"]["reason"] == "ContainerStatusUnknown"


def test_a_pod_that_was_taken_over_is_ended_like_any_other(cluster, deploy):
    deploy("handed", grace=5)
    pod = until(lambda: cluster.ready("handed"))[0]
    process = Path("/proc") / ask(pod, "/id").split()[1]
    cluster.agent.kill()
    cluster.agent.wait()
    cluster.start_agent()
    cluster.api.delete(f"/api/v1/namespaces/default/pods/{pod['metadata']['name']}")
    until(lambda: not alive(process), 10)
    gone = pod["metadata"]["uid"]
    until(lambda: all(each["metadata"]["uid"] != gone for each in cluster.pods("handed")))


def alive(process):
    try:
        return "State:\tZ" not in (process / "status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_transition_times_are_those_of_the_change(cluster, deploy):
    deploy("times")
    pod = until(lambda: cluster.ready("times"))[0]
    created = datetime.fromisoformat(pod["metadata"]["creationTimestamp"])
    for condition in pod["status"]["conditions"]:
        changed = datetime.fromisoformat(condition["lastTransitionTime"])
        assert 0 <= (changed - created).total_seconds() < 10
