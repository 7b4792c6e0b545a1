"""A manifest that an operator broke is refused with its file and line, before any cluster sees it."""

import shutil

import pytest

from infra import manifests
from infra.manifests import lines, pod_security, schema, tree

D, S, H, P = "deployment.yaml", "service.yaml", "hpa.yaml", "pdb.yaml"
SERVER = "- name: tensorflow-serving\n          image"
READY = "readinessProbe:\n            grpc:\n              port: 8500"
SELECTOR = "  selector:\n    app.kubernetes.io/name: tensorflow-serving"
MONITORING = "          configMap:\n            name: tensorflow-serving"
POLL = "--model_config_file_poll_wait_seconds"

# A name, the file, what is there, what the operator wrote, what is said of it, and what stands in the line named.
BROKEN = [
    ("indent", D, "      enableServiceLinks", "     enableServiceLinks", "no YAML", ""),
    ("bracket", D, "[ALL]", "[ALL", "no YAML", "volumeMounts"),
    ("tab", H, "  minReplicas: 2", "\tminReplicas: 2", "no YAML", ""),
    ("twice", P, "maxUnavailable: 1", "maxUnavailable: 1\n  maxUnavailable: 0", "twice", ": 0"),
    ("list", P, "apiVersion: policy/v1", "- policy/v1\n---\na: b", "an object is expected", "- pol"),
    ("field", D, "          image:", "          img:", "no such field", "img:"),
    ("python", D, "serviceAccountName", "service_account_name", "no such field", "service_account"),
    ("probe", D, READY, READY.replace("port:", "ports:"), "needed", "grpc:"),
    ("number", D, "hold: 3600", 'hold: "3600"', "whole number", '"3600"'),
    ("boolean", D, 'value: "true"', "value: true", "must be text", "value: true"),
    ("words", D, "runAsNonRoot: true", "runAsNonRoot: sure", "true or false", "sure"),
    ("group", D, "apiVersion: apps/v1", "apiVersion: app/v1", "no such kind", "kind"),
    ("kind", S, "kind: Service", "kind: Servcie", "no such kind", "Servcie"),
    ("other", S, "kind: Service\n", "kind: ConfigMap\n", "no such field", "spec:"),
    ("version", H, "autoscaling/v2", "autoscaling/v1", "no such field", "metrics:"),
    ("replicas", D, "  revisionHistoryLimit: 3", "  replicas: 3", "autoscaler", "replicas"),
    ("recreate", D, "type: RollingUpdate\n    rolling", "type: Recreate\n    rolling", "must be", ""),
    ("down", D, "maxUnavailable: 0", "maxUnavailable: 1", "must be 0", "maxUnavailable"),
    ("server", D, SERVER, SERVER.replace("tensorflow-s", "s"), "none is named", "containers:"),
    ("command", D, "          args:", "          command: [bash]\n          args:", "signals", ""),
    ("port", D, "containerPort: 8501", "containerPort: 8601", "need port 8501", "ports:"),
    ("listen", D, "- --port=8500", "- --port=8600", "Berth calls port 8500", "8600"),
    ("config", D, f"{POLL}=0", f"{POLL}=30", "overwrite", "=30"),
    ("files", D, "file_system_poll_wait_seconds=1", "file_system_poll_wait_seconds=0", "never", "=0"),
    ("flag", D, "--num_load_threads=4", "--num_load_treads=4", "no flag", "treads"),
    ("value", D, "--num_load_threads=4", "--num_load_threads=many", "interpret", "many"),
    ("retries", D, "load_retries=3", "load_retries=0", "read error", "retries=0"),
    ("health", D, "healthcheck_service=true", "healthcheck_service=false", "probes ask", "=false"),
    ("http", D, READY, "readinessProbe:\n            httpGet:\n              port: 8501", "gRPC", "rea"),
    ("boot", D, "=/boot/models", "=/etc/models", "belongs at /etc", "mountPath: /boot"),
    ("mount", D, "mountPath: /models", "mountPath: /data", "belongs at /models", "/data"),
    ("unmounted", D, "            - name: boot\n              mountPath: /boot\n              readOnly: true\n", "", "not mounted", "volumeMounts"),  # noqa: E501
    ("volume", D, "- name: boot\n          csi", "- name: start\n          csi", "named boot", "vol"),
    ("writable", D, "readOnly: true\n            volumeAttributes:\n              bucketName: models", "readOnly: false\n            volumeAttributes:\n              bucketName: models", "must be true", "false"),  # noqa: E501
    ("folders", D, "ro,implicit-dirs,only-dir", "ro,only-dir", "no folders", "ro,only-dir"),
    ("account", D, "Name: berth-serving\n      auto", "Name: default\n      auto", "must be", "default"),
    ("capabilities", D, "drop: [ALL]", "drop: [NET_RAW]", "must have ALL", "NET_RAW"),
    ("privileged", D, "allowPrivilegeEscalation: false", "privileged: true", "Security", "securityC"),
    ("host", D, MONITORING, "          hostPath:\n            path: /etc", "no volume of this", "hostP"),
    ("offer", S, "port: 8500", "port: 8400", "port 8500 is missing", "ports:"),
    ("selects", S, SELECTOR, "  selector:\n    app: other", "must select", "selector:"),
    ("metric", H, "container: tensorflow-serving", "container: sidecar", "must be", "sidecar"),
    ("target", H, "    kind: Deployment", "    kind: StatefulSet", "must be the Dep", "scaleTarget"),
]  # fmt: skip

FINE = [
    ("image", D, "image: berth/", "image: registry.example.com/berth/"),
    ("cpu", D, "cpu: 500m", "cpu: 2"),
    ("pool", D, "berth.dev/pool: serving", "berth.dev/pool: large"),
    ("default", D, f"            - {POLL}=0\n", ""),
    ("threads", D, "--num_load_threads=4", "--num_load_threads=8"),
    ("bound", H, "averageUtilization: 70", "averageUtilization: 50"),
    ("percent", P, "maxUnavailable: 1", "maxUnavailable: 25%"),
]


@pytest.fixture
def shard(tmp_path):
    return shutil.copytree(manifests.SHARD, tmp_path / "shard")


def change(folder, name, old, new):
    path = folder / name
    before = path.read_text()
    assert before.count(old) == 1, old
    path.write_text(before.replace(old, new))


@pytest.mark.parametrize(
    ("name", "old", "new", "text", "at"), [case[1:] for case in BROKEN], ids=[c[0] for c in BROKEN]
)
def test_a_broken_manifest_is_named_by_file_and_line(shard, name, old, new, text, at):
    change(shard, name, old, new)
    with pytest.raises(manifests.ManifestError) as refused:
        manifests.require_shard(shard)
    (first, *_) = str(refused.value).splitlines()
    path, line, said = first.split(":", 2)
    assert path == str(shard / name)
    assert text in said, first
    assert at in (shard / name).read_text().splitlines()[int(line) - 1], first


@pytest.mark.parametrize(
    ("name", "old", "new"), [case[1:] for case in FINE], ids=[case[0] for case in FINE]
)
def test_what_is_the_operators_to_change_is_accepted(shard, name, old, new):
    change(shard, name, old, new)
    assert tree.shard_problems(shard) == []


def test_every_problem_is_named_at_once(shard):
    change(shard, D, "maxUnavailable: 0", "maxUnavailable: 1")
    change(shard, S, "port: 8500", "port: 8400")
    (shard / P).unlink()
    said = [str(problem) for problem in tree.shard_problems(shard)]
    assert len(said) == 3
    assert any("no PodDisruptionBudget here" in line for line in said)


def test_a_second_object_of_a_kind_is_refused(shard):
    shutil.copy(shard / S, shard / "zz.yaml")
    (problem,) = tree.shard_problems(shard)
    assert problem.path == shard / "zz.yaml"
    assert "another" in problem.text


def test_the_manifests_as_they_are_have_no_problem():
    manifests.require_shard()


def test_a_path_below_the_current_folder_is_named_from_there(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert str(lines.Problem(tmp_path / "a.yaml", 3, "wrong")) == "a.yaml:3: wrong"
    assert str(lines.Problem(tmp_path.parent / "a.yaml", 3, "wrong")).startswith("/")


CONTAINER = {
    "name": "a",
    "image": "a",
    "securityContext": {
        "runAsNonRoot": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    },
}


def test_a_restricted_pod_violates_nothing():
    assert list(pod_security.violations({"containers": [CONTAINER]})) == []


@pytest.mark.parametrize("key", sorted(CONTAINER["securityContext"]))
def test_a_restricted_pod_must_say_everything(key):
    context = {k: v for k, v in CONTAINER["securityContext"].items() if k != key}
    pod = {"containers": [{**CONTAINER, "securityContext": context}]}
    ((where, _),) = pod_security.violations(pod)
    assert where[:4] == ("containers", 0, "securityContext", key)


def test_custom_kinds_have_a_schema():
    assert {name.rpartition("/")[2] for name in schema.custom()} == {
        "PodMonitoring",
        "ServiceMonitor",
    }


@pytest.mark.parametrize(
    ("pool", "patch", "text"),
    [
        ("gold", "kind: ConfigMap\napiVersion: v1\n", "a shard has no ConfigMap"),
        ("gold", "kind: Service\napiVersion: v1\nspec: {type: [1]}\n", "type"),
        (
            "gold",
            "kind: Deployment\napiVersion: apps/v1\nspec: {replicas: 3}\n",
            "the number of replicas is the autoscaler's alone",
        ),
        (
            "gold",
            "kind: Deployment\napiVersion: apps/v1\nspec: {template: {spec: {hostNetwork: true}}}\n",
            "not allowed by Pod Security",
        ),
        ("Gold", "kind: Service\napiVersion: v1\n", "is no name of a pool"),
    ],
)
def test_a_pools_broken_patch_is_named(shard, pool, patch, text):
    folder = shard / "pools" / pool
    folder.mkdir(parents=True)
    (folder / "patch.yaml").write_text(patch)
    with pytest.raises(manifests.ManifestError, match=text) as refused:
        manifests.require_shard(shard)
    assert f"pools/{pool}" in str(refused.value)


def test_a_pools_patch_may_choose_nodes_and_image(shard):
    folder = shard / "pools" / "gold"
    folder.mkdir(parents=True)
    (folder / "deployment.yaml").write_text(
        "apiVersion: apps/v1\nkind: Deployment\nspec:\n  template:\n    spec:\n"
        "      nodeSelector: {berth.dev/pool: gold}\n      containers:\n"
        "        - {name: tensorflow-serving, image: 'example.com/tfserving:gold'}\n"
    )
    manifests.require_shard(shard)
