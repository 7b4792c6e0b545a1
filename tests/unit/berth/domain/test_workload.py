"""A shard's objects: the operator's manifests with Berth's fields, whole, against golden files."""

import copy

import pytest
import yaml

from berth.domain import workload
from berth.domain.documents import Shard
from berth.domain.workload import Buckets
from infra.functions import ROOT

HERE = ROOT / "tests/unit/berth/domain/golden"
MANIFESTS = [yaml.safe_load(p.read_text()) for p in sorted((ROOT / "k8s/shard").glob("*.yaml"))]
BUCKETS = Buckets("berth", "berth-models", "berth-control")
SHARD = Shard(
    shard="shard-7",
    replicas_min=3,
    replicas_max=6,
    memory_bytes=3 * 1024**3,
    restart_at="2026-01-01T00:00:00+00:00",
)


def rendered(shard=SHARD):
    return {m["kind"]: m for m in workload.render(MANIFESTS, shard, BUCKETS)}


@pytest.mark.parametrize("kind", sorted(rendered()))
def test_a_rendered_object_is_the_golden_one(kind, request):
    path = HERE / f"{kind.lower()}.yaml"
    text = yaml.safe_dump(rendered()[kind], sort_keys=True)
    if request.config.getoption("--golden", default=False):
        path.write_text(text)
    assert path.read_text() == text, "make golden writes it anew"


def test_the_operators_manifests_are_left_as_they_are():
    before = copy.deepcopy(MANIFESTS)
    rendered()
    assert before == MANIFESTS


def test_replicas_are_the_autoscalers():
    assert "replicas" not in rendered()["Deployment"]["spec"]


def test_what_kubernetes_adds_is_no_drift():
    for kind, desired in rendered().items():
        live = copy.deepcopy(desired)
        live["metadata"] |= {"uid": "u", "resourceVersion": "7", "annotations": {"by": "k8s"}}
        live["status"] = {"readyReplicas": 2}
        live["spec"]["defaulted"] = True
        if kind == "Deployment":
            live["spec"]["replicas"] = 4
            live["spec"]["template"]["spec"]["dnsPolicy"] = "ClusterFirst"
            live["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] = "Always"
        assert not workload.drifted(desired, live)


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("Deployment", ("spec", "template", "spec", "containers", 0, "image"), "evil"),
        ("Deployment", ("spec", "template", "spec", "containers", 0, "args"), ["--port=1"]),
        (
            "Deployment",
            ("spec", "template", "metadata", "annotations", workload.RESTART_ANNOTATION),
            "",
        ),
        ("Deployment", ("spec", "template", "spec", "automountServiceAccountToken"), True),
        ("Deployment", ("metadata", "labels", workload.SHARD_LABEL), "other"),
        ("Service", ("spec", "selector"), {}),
        ("HorizontalPodAutoscaler", ("spec", "maxReplicas"), 99),
        ("PodDisruptionBudget", ("spec", "maxUnavailable"), 2),
    ],
)
def test_what_somebody_changed_is_drift(kind, path, value):
    desired = rendered()[kind]
    live = copy.deepcopy(desired)
    found = live
    for step in path[:-1]:
        found = found[step]
    found[path[-1]] = value
    assert workload.drifted(desired, live)
    del found[path[-1]]
    assert workload.drifted(desired, live)


def test_an_absent_object_is_drift_and_applied_without_a_token():
    desired = rendered()["Service"]
    assert workload.drifted(desired, None)
    assert workload.with_token(desired, {"Service": None}) == desired


def test_an_apply_carries_the_version_that_was_observed():
    desired = rendered()["Service"]
    live = {"Service": {"metadata": {"resourceVersion": "41"}}}
    assert workload.with_token(desired, live)["metadata"]["resourceVersion"] == "41"
    assert "resourceVersion" not in desired["metadata"]


@pytest.mark.parametrize(
    ("size", "text"),
    [(1024**3, "1Gi"), (1536 * 1024**2, "1536Mi"), (3 * 1024, "3Ki"), (1025, "1025")],
)
def test_memory_is_spelled_as_kubernetes_spells_it(size, text):
    shard = SHARD.model_copy(update={"memory_bytes": size})
    container = rendered(shard)["Deployment"]["spec"]["template"]["spec"]["containers"][0]
    assert container["resources"]["limits"]["memory"] == text


@pytest.mark.parametrize(
    ("reference", "wanted"),
    [
        ("berth/tfserving:2.20.0-abc", "eu.pkg.dev/p/berth/tfserving:2.20.0-abc"),
        ("busybox", "eu.pkg.dev/p/busybox"),
        ("busybox:1.36", "eu.pkg.dev/p/busybox:1.36"),
        ("docker.io/tensorflow/serving:2.20.0", "docker.io/tensorflow/serving:2.20.0"),
        ("localhost/serving", "localhost/serving"),
        ("mirror:5000/serving@sha256:0f", "mirror:5000/serving@sha256:0f"),
    ],
)
def test_an_image_without_a_host_comes_from_the_registry(reference, wanted):
    assert workload.image(reference, "eu.pkg.dev/p") == wanted
    assert workload.image(reference, "") == reference


def test_every_containers_image_comes_from_the_registry():
    manifests = copy.deepcopy(MANIFESTS)
    pod = next(m for m in manifests if m["kind"] == "Deployment")["spec"]["template"]["spec"]
    pod["initContainers"] = [{"name": "warm", "image": "berth/warm:1"}]
    buckets = Buckets("berth", "berth-models", "berth-control", "eu.pkg.dev/p")
    (deployment,) = [
        m for m in workload.render(manifests, SHARD, buckets) if m["kind"] == "Deployment"
    ]
    spec = deployment["spec"]["template"]["spec"]
    images = [c["image"] for c in (*spec["containers"], *spec["initContainers"])]
    assert all(image.startswith("eu.pkg.dev/p/berth/") for image in images)
    assert len(images) == 2
