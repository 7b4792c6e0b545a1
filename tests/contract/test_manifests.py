"""The manifests on a real API server: every overlay is taken as it is, and does what it is for."""

import copy
import re

import pytest
import yaml

from berth.adapters.kubernetes import SHARD_LABEL, KubernetesWorkloads
from infra.functions import ROOT
from infra.local.kube_api import Api, ApiError
from infra.manifests import pod_security, tree
from infra.manifests.lines import read
from tests.support import access, overlays
from tests.support.node_cluster import until

GOLDEN = ROOT / "tests/contract/golden"
PODS = "/api/v1/namespaces/berth/pods"
GIB = 1024**3


@pytest.fixture(scope="module")
def cluster(kubeconfig):
    overlays.crds(kubeconfig)
    overlays.apply(kubeconfig, overlays.render("local", None))
    return kubeconfig


@pytest.fixture
def api(cluster):
    made = Api(cluster)
    yield made
    made.close()


@pytest.fixture
def workloads(cluster):
    client = access.client(cluster)
    yield KubernetesWorkloads("berth", client)
    client.close()
    for kind in ("hpa", "deployment", "service", "pdb", "pod"):
        words = ("delete", kind, "--namespace=berth", "--all", "--grace-period=0", "--wait=true")
        overlays.kubectl(cluster, *words)


@pytest.fixture
def overlay(request, tmp_path):
    return overlays.render(request.param, tmp_path)


@pytest.mark.parametrize(
    ("name", "overlay"), [(one, one) for one in overlays.OVERLAYS], indirect=["overlay"]
)
def test_a_rendered_overlay_is_the_golden_one(name, overlay, request):
    path = GOLDEN / f"{name}.yaml"
    text = yaml.safe_dump_all(overlay, sort_keys=True)
    if request.config.getoption("--golden", default=False):
        path.write_text(text)
    assert path.read_text() == text, "make golden writes it anew"


@pytest.mark.parametrize("overlay", overlays.OVERLAYS, indirect=True)
def test_an_overlay_is_applied_and_then_has_nothing_to_change(cluster, overlay):
    rehearsed = overlays.apply(cluster, overlay, "--dry-run=server")
    assert len(rehearsed) == len(overlay)
    first = _versions(overlays.apply(cluster, overlay))
    assert _versions(overlays.apply(cluster, overlay)) == first
    overlays.apply(cluster, overlays.render("local", None))


def test_a_custom_object_with_a_field_too_many_is_refused_by_schema_and_server(cluster, tmp_path):
    for name, kind in (("dev", "PodMonitoring"), ("prometheus-operator", "ServiceMonitor")):
        (monitor,) = [one for one in overlays.render(name, tmp_path) if one["kind"] == kind]
        monitor = copy.deepcopy(monitor)
        monitor["spec"]["endpoints"][0]["intervall"] = "30s"
        path = tmp_path / f"{kind}.yaml"
        path.write_text(yaml.safe_dump(monitor))
        ((document,), _) = read(path)
        (problem,) = tree.schema.problems(document)
        assert "intervall: no such field" in problem.text
        refused = overlays.kubectl(
            cluster, "apply", "--server-side", "--validate=strict", "-f", str(path), check=False
        )
        assert refused.returncode
        assert "intervall" in refused.stderr


def test_a_whole_shard_is_taken_and_its_pods_are_admitted(workloads, api):
    for one in overlays.shard(replicas_min=2, memory_bytes=GIB):
        workloads.apply(one)
    found = until(lambda: len(workloads.pods("shard-0")) == 2 and api.get(PODS)["items"])
    # Routers are there too once a test has applied an overlay of the cloud.
    for pod in (one for one in found if SHARD_LABEL in one["metadata"]["labels"]):
        assert pod["spec"]["priority"] == 100_000
        (container,) = pod["spec"]["containers"]
        assert container["resources"]["limits"] == {"memory": "1Gi"}


def test_a_local_fleet_at_its_largest_fits_the_quota(workloads):
    """Two shards of four replicas, and one more of each while they are replaced."""
    for name in ("shard-0", "shard-1"):
        for one in overlays.shard(name, replicas_min=5, replicas_max=5, memory_bytes=2 * GIB):
            workloads.apply(one)
    for name in ("shard-0", "shard-1"):
        until(lambda name=name: len(workloads.pods(name)) == 5)


def test_an_absurd_server_is_stopped_by_the_limit_range(workloads, api):
    with pytest.raises(ApiError, match="maximum memory usage per Container is 64Gi"):
        api.post(PODS, overlays.pod(memory_bytes=1024 * GIB))


def test_an_absurd_fleet_is_stopped_by_the_quota(workloads, api):
    for number in range(4):
        api.post(PODS, overlays.pod(f"large-{number}", memory_bytes=64 * GIB))
    with pytest.raises(ApiError, match="exceeded quota: berth"):
        api.post(PODS, overlays.pod("large-4", memory_bytes=64 * GIB))


@pytest.mark.parametrize(
    ("overlay", "memory"), [("local", 2), ("dev", 2), ("prod", 4)], indirect=["overlay"]
)
def test_a_quota_holds_the_fleet_that_it_says(overlay, memory):
    """So many shards of four replicas and one more, with the sidecar that GKE adds to each."""
    (quota,) = [one["spec"]["hard"] for one in overlay if one["kind"] == "ResourceQuota"]
    pod = overlays.pod(memory_bytes=GIB)
    sidecar = pod["metadata"]["annotations"]
    managed = any(one["kind"] == "PodMonitoring" for one in overlay)
    pods = int(quota["count/deployments.apps"]) * 5
    asked, bound = (
        memory + (_mib(sidecar[f"gke-gcsfuse/memory-{which}"]) / 1024 if managed else 0)
        for which in ("request", "limit")
    )
    assert pods <= int(quota["pods"])
    assert pods * asked <= int(quota["requests.memory"].removesuffix("Gi"))
    assert pods * bound <= int(quota["limits.memory"].removesuffix("Gi"))
    assert pods * 0.6 <= int(quota["requests.cpu"])


def change(pod, path, value):
    """Set a field of the pod, or of its one container where the path begins with `container`."""
    *steps, last = path.split(".")
    found = pod["spec"]
    if steps[:1] == ["container"]:
        found, steps = found["containers"][0], steps[1:]
    for step in steps:
        found = found.setdefault(step, {})
    if value is None:
        del found[last]
    else:
        found[last] = value


VARIANTS = [
    ("hostNetwork", True),
    ("hostPID", True),
    ("hostIPC", True),
    ("volumes", [{"name": "etc", "hostPath": {"path": "/etc"}}]),
    ("volumes", [{"name": "tmp", "emptyDir": {}}]),
    ("securityContext.runAsNonRoot", None),
    ("securityContext.runAsNonRoot", False),
    ("securityContext.runAsUser", 0),
    ("securityContext.runAsUser", 1000),
    ("securityContext.seccompProfile", None),
    ("securityContext.seccompProfile", {"type": "Unconfined"}),
    ("securityContext.appArmorProfile", {"type": "Unconfined"}),
    ("securityContext.appArmorProfile", {"type": "RuntimeDefault"}),
    ("securityContext.seLinuxOptions", {"user": "u"}),
    ("securityContext.seLinuxOptions", {"type": "container_t"}),
    ("container.securityContext", {"privileged": True, "capabilities": {"drop": ["ALL"]}}),
    ("container.securityContext.allowPrivilegeEscalation", None),
    ("container.securityContext.allowPrivilegeEscalation", True),
    ("container.securityContext.capabilities", {"drop": ["NET_RAW"]}),
    ("container.securityContext.capabilities", {"drop": ["ALL"], "add": ["SYS_ADMIN"]}),
    ("container.securityContext.capabilities", {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}),
    ("container.securityContext.runAsNonRoot", False),
    ("container.securityContext.runAsUser", 0),
    ("container.securityContext.seccompProfile", {"type": "Unconfined"}),
    ("container.securityContext.procMount", "Unmasked"),
    ("container.securityContext.readOnlyRootFilesystem", False),
    ("container.ports", [{"containerPort": 8500, "hostPort": 8500}]),
    ("container.readinessProbe", {"tcpSocket": {"port": 8500, "host": "10.0.0.1"}}),
    ("container.lifecycle", {"preStop": {"httpGet": {"port": 1, "host": "a"}}}),
    ("container.livenessProbe", {"tcpSocket": {"port": 8500}}),
]


@pytest.mark.parametrize(("path", "value"), VARIANTS)
def test_the_check_knows_what_pod_security_refuses(api, path, value):
    pod = overlays.pod(memory_bytes=GIB)
    change(pod, path, value)
    if path == "volumes":
        pod["spec"]["containers"][0]["volumeMounts"] = []
    if path.endswith("procMount"):
        pod["spec"]["hostUsers"] = False
    known = list(pod_security.violations(pod["spec"]))
    refused = ""
    try:
        api.post(f"{PODS}?dryRun=All", pod)
    except ApiError as error:
        refused = str(error)
    assert bool(known) == bool(refused), (known, refused)
    if refused:
        assert re.match(
            r'403: pods .* is forbidden: violates PodSecurity "restricted:v1.34"', refused
        )


def _versions(objects):
    """What a change would change. Where controllers write a status, the generation moves with the wishes alone."""

    def version(one):
        counted = one["kind"] in ("Deployment", "PodDisruptionBudget")
        return one["metadata"]["generation" if counted else "resourceVersion"]

    return {
        (one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]): version(one)
        for one in objects
        if one["kind"] != "ResourceQuota"
    }


def _mib(text):
    assert text.endswith("Mi")
    return int(text.removesuffix("Mi"))
