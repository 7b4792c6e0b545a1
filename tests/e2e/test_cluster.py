"""What Berth may do in the cluster, and what it leaves to others there."""

import json
import subprocess

import pytest

from infra.demo.replicas import NAMESPACE
from tests.support.e2e import until

MAY = [
    *(f"{verb} deployments.apps" for verb in ("get", "create", "patch", "delete")),
    *("list pods", "delete pods", "patch services", "delete services"),
    *("patch horizontalpodautoscalers.autoscaling", "patch poddisruptionbudgets.policy"),
]
MAY_NOT = [
    *(
        "deletecollection deployments.apps",
        "list deployments.apps",
        "update deployments.apps",
        "patch deployments.apps --subresource=scale",
    ),
    *(
        "create pods",
        "get pods",
        "create pods --subresource=exec",
        "create pods --subresource=eviction",
        "get secrets",
        "list secrets",
    ),
    *(
        "create serviceaccounts --subresource=token",
        "get configmaps",
        "patch roles.rbac.authorization.k8s.io",
    ),
    *(
        "list nodes",
        "list namespaces",
        "deletecollection services",
        "get pods --namespace=kube-system",
    ),
]


def kubectl(berth, *words):
    config = berth.stack.environment["KUBECONFIG"]
    command = ("kubectl", "--kubeconfig", config, f"--namespace={NAMESPACE}", *words)
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("question", "answer"), [*((q, "yes") for q in MAY), *((q, "no") for q in MAY_NOT)]
)
def test_the_functions_account_has_the_least_privilege(berth, question, answer):
    token = (berth.stack.folder.path / "berth-reconcile-shard.token").read_text()
    said = kubectl(berth, f"--token={token}", "auth", "can-i", *question.split())
    assert said.stdout.strip() == answer, said.stderr


def test_replicas_belong_to_the_autoscaler(berth):
    found = json.loads(
        kubectl(
            berth,
            *("get", "deployments,horizontalpodautoscalers", "-o", "json"),
            "--show-managed-fields",
        ).stdout
    )["items"]
    deployments = [one for one in found if one["kind"] == "Deployment"]
    scalers = {
        one["spec"]["scaleTargetRef"]["name"]: one for one in found if one not in deployments
    }
    assert len(deployments) >= 2
    for deployment in deployments:
        mine = [m for m in deployment["metadata"]["managedFields"] if m["manager"] == "berth"]
        assert mine
        assert all(m["operation"] == "Apply" for m in mine)
        assert not any("f:replicas" in m["fieldsV1"].get("f:spec", {}) for m in mine)
        scaler = scalers[deployment["metadata"]["name"]]
        bounds = scaler["spec"]["minReplicas"], scaler["spec"]["maxReplicas"]
        assert bounds == (2, 4)
        assert bounds[0] <= deployment["spec"]["replicas"] <= bounds[1]


def test_the_autoscaler_sees_the_servers_own_cpu(berth):
    def seen():
        found = json.loads(kubectl(berth, "get", "hpa", "-o", "json").stdout)["items"]
        metrics = [one["status"].get("currentMetrics") or [{}] for one in found]
        return metrics and all("containerResource" in one[0] for one in metrics) and metrics

    until("the autoscalers have figures", seen)
    for (metric,) in seen():
        assert metric["containerResource"]["container"] == "tensorflow-serving"
        assert metric["containerResource"]["current"]["averageUtilization"] >= 0
