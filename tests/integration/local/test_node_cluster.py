"""What stands around the pods of a real control plane: buckets, figures and the autoscaler, rights."""

import json
from pathlib import Path

import pytest
import yaml

from berth.domain import workload
from infra.local import kube_files, kubernetes
from infra.local.kube_api import Api, ApiError
from tests.support import node_cluster
from tests.support.node_cluster import until
from tests.support.pods import ask, one

GCSFUSE = "gcsfuse.csi.storage.gke.io"


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
    for place in (
        f"{folder}/berth-test-writes" for folder in ("/models", "/boot", "", "/etc", "/tmp")
    ):
        assert ask(pod, f"/write?path={place}") == "Read-only file system"
    assert not Path("/models").exists()


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
    token = kubernetes.write_token(
        cluster.kubeconfig, "berth-reconcile-shard", cluster.folder / "token"
    ).read_text()
    target = cluster.folder / "reconcile-shard.kubeconfig"
    authority = (cluster.folder / "certificates" / "ca.crt").read_bytes()
    kube_files.write_kubeconfig(target, cluster.api.server, authority, token)
    api = Api(target)
    try:
        apply_shard(api)
        assert api.get("/api/v1/namespaces/berth/pods")["kind"] == "PodList"
        deployments = "/apis/apps/v1/namespaces/berth/deployments"
        for call in (
            lambda: api.delete(deployments),
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
