"""RBAC both ways, for both subjects: a service account locally, a User of Google's on GKE."""

import json

import pytest
import requests
import yaml

from berth.adapters.kubernetes import KubernetesWorkloads
from infra.functions import ROOT
from infra.local import kubernetes as local
from tests.support import access, overlays
from tests.support.node_cluster import until

GOLDEN = ROOT / "tests/contract/golden"
BERTH, SYSTEM = "/api/v1/namespaces/berth", "/api/v1/namespaces/kube-system"
APPS, RBAC = "/apis/apps/v1/namespaces", "/apis/rbac.authorization.k8s.io/v1"
MIB = 1024**2


class Subject:
    """The API server as one of the two sees it."""

    def __init__(self, kubeconfig, token, user=""):
        self._endpoint, _, _ = access.cluster(kubeconfig)
        self._headers = {"Authorization": f"Bearer {token}"}
        self.client = access.client(kubeconfig, token)
        if user:
            self._headers["Impersonate-User"] = user
            self.client.set_default_header("Impersonate-User", user)
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = str(kubeconfig.parent / "certificates" / "ca.crt")

    def ask(self, method, path, body=None, kind="application/json"):
        return self._session.request(
            method,
            self._endpoint + path,
            data=json.dumps(body or {}),
            headers={**self._headers, "Content-Type": kind},
            timeout=10,
        )

    def close(self):
        self._session.close()
        self.client.close()


def service_account(kubeconfig, folder):
    overlays.apply(kubeconfig, overlays.render("local", folder))
    target = folder / "token"
    local.write_token(kubeconfig, "berth-reconcile-shard", target)
    return Subject(kubeconfig, target.read_text())


def user(kubeconfig, folder):
    overlays.apply(kubeconfig, overlays.render("dev", folder))
    return Subject(kubeconfig, access.cluster(kubeconfig)[2], overlays.USER)


SUBJECTS = {"service-account": service_account, "user": user}


@pytest.fixture(scope="module", params=SUBJECTS)
def subject(request, kubeconfig, tmp_path_factory):
    overlays.crds(kubeconfig)
    made = SUBJECTS[request.param](kubeconfig, tmp_path_factory.mktemp("rbac"))
    made.name = request.param
    yield made
    made.close()


@pytest.fixture(scope="module")
def victim(kubeconfig):
    """Things that are there, so that a refusal is no mere absence."""
    overlays.apply(kubeconfig, overlays.render("local", None))
    admin = Subject(kubeconfig, access.cluster(kubeconfig)[2])
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "victim"}}
    pod = overlays.pod("victim", memory_bytes=64 * MIB)
    for path, body in ((f"{BERTH}/secrets", secret), (f"{BERTH}/pods", pod)):
        assert admin.ask("POST", path, body).status_code in (201, 409)
    admin.ask("PATCH", f"{BERTH}/configmaps/victim?fieldManager=t", _config_map(), _APPLY)
    yield "victim"
    admin.ask("DELETE", f"{BERTH}/pods/victim-pod?gracePeriodSeconds=0")
    admin.close()


_APPLY = "application/apply-patch+yaml"


def _config_map(name="victim"):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {}}


def test_all_that_the_adapter_does_is_allowed(subject):
    workloads = KubernetesWorkloads("berth", subject.client)
    name = f"rbac-{subject.name}"
    assert workloads.observe(name).objects["Deployment"] is None
    for one in overlays.shard(name, memory_bytes=64 * MIB):
        workloads.apply(one)
    for one in overlays.shard(name, memory_bytes=65 * MIB):
        workloads.apply(one)
    seen = workloads.observe(name)
    assert all(one is not None for one in seen.objects.values())
    (*_, pod) = until(lambda: workloads.pods(name))
    workloads.delete_pod(pod.name, uid=pod.uid)
    until(lambda: pod.uid not in [one.uid for one in workloads.pods(name)])
    for kind, found in workloads.observe(name).objects.items():
        workloads.delete(kind, name, uid=found["metadata"]["uid"])
    until(lambda: not any(workloads.observe(name).objects.values()))


def _binding(kind, role):
    subjects = [{"kind": "ServiceAccount", "name": "berth-reconcile-shard", "namespace": "berth"}]
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": f"{kind}Binding",
        "metadata": {"name": "more"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role},
        "subjects": subjects,
    }


def _role(name="berth-reconcile-shard"):
    rules = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": name},
        "rules": rules,
    }


REFUSED = {
    "read a secret": ("GET", f"{BERTH}/secrets/victim"),
    "list secrets": ("GET", f"{BERTH}/secrets"),
    "read a config map": ("GET", f"{BERTH}/configmaps/victim"),
    "write a config map": ("POST", f"{BERTH}/configmaps", _config_map("mine")),
    "make a token": ("POST", f"{BERTH}/serviceaccounts/berth-serving/token", {"spec": {}}),
    "make an account": ("POST", f"{BERTH}/serviceaccounts", {"metadata": {"name": "mine"}}),
    "make a pod": ("POST", f"{BERTH}/pods", overlays.pod("mine", memory_bytes=MIB)),
    "read one pod": ("GET", f"{BERTH}/pods/victim-pod"),
    "read a log": ("GET", f"{BERTH}/pods/victim-pod/log"),
    "run in a pod": ("POST", f"{BERTH}/pods/victim-pod/exec?command=id&stdout=true"),
    "attach to a pod": ("POST", f"{BERTH}/pods/victim-pod/attach?stdout=true"),
    "reach through a pod": ("POST", f"{BERTH}/pods/victim-pod/portforward?ports=8500"),
    "call a pod": ("GET", f"{BERTH}/pods/victim-pod/proxy/"),
    "call a service": ("GET", f"{BERTH}/services/shard-0/proxy/"),
    "debug a pod": ("PATCH", f"{BERTH}/pods/victim-pod/ephemeralcontainers", {}, "merge"),
    "change a pod": ("PATCH", f"{BERTH}/pods/victim-pod", {}, "merge"),
    "evict a pod": ("POST", f"{BERTH}/pods/victim-pod/eviction", {}),
    "delete all pods": ("DELETE", f"{BERTH}/pods"),
    "delete all deployments": ("DELETE", f"{APPS}/berth/deployments"),
    "list deployments": ("GET", f"{APPS}/berth/deployments"),
    "put a deployment": ("PUT", f"{APPS}/berth/deployments/shard-0", {}),
    "scale": ("PATCH", f"{APPS}/berth/deployments/shard-0/scale", {}, "merge"),
    "make a daemon set": ("POST", f"{APPS}/berth/daemonsets", {}),
    "delete all services": ("DELETE", f"{BERTH}/services"),
    "lift the quota": ("PATCH", f"{BERTH}/resourcequotas/berth", {}, "merge"),
    "lift the limits": ("DELETE", f"{BERTH}/limitranges/berth"),
    "relabel the namespace": ("PATCH", "/api/v1/namespaces/berth", {}, "merge"),
    "read one pod's figures": (
        "GET",
        "/apis/metrics.k8s.io/v1beta1/namespaces/berth/pods/victim-pod",
    ),
    "list nodes' figures": ("GET", "/apis/metrics.k8s.io/v1beta1/nodes"),
    "list another namespace's figures": (
        "GET",
        "/apis/metrics.k8s.io/v1beta1/namespaces/kube-system/pods",
    ),
    "list namespaces": ("GET", "/api/v1/namespaces"),
    "list nodes": ("GET", "/api/v1/nodes"),
    "change a node": ("PATCH", "/api/v1/nodes/local-1", {}, "merge"),
    "open the network": (
        "DELETE",
        "/apis/networking.k8s.io/v1/namespaces/berth/networkpolicies/default-deny",
    ),
    "widen its role": (
        "PATCH",
        f"{RBAC}/namespaces/berth/roles/berth-reconcile-shard",
        {},
        "merge",
    ),
    "make a role": ("POST", f"{RBAC}/namespaces/berth/roles", _role("mine")),
    "bind itself": ("POST", f"{RBAC}/namespaces/berth/rolebindings", _binding("Role", "admin")),
    "rule the cluster": (
        "POST",
        f"{RBAC}/clusterrolebindings",
        _binding("ClusterRole", "cluster-admin"),
    ),
    "impersonate": ("POST", "/apis/authentication.k8s.io/v1/users/x/impersonate"),
    "read another namespace's pods": ("GET", f"{SYSTEM}/pods"),
    "deploy to another namespace": (
        "PATCH",
        f"{APPS}/default/deployments/shard-0?fieldManager=berth&force=true",
        next(one for one in overlays.shard(memory_bytes=MIB) if one["kind"] == "Deployment"),
        "apply",
    ),
    "delete another namespace's pods": ("DELETE", f"{SYSTEM}/pods/any"),
    "add a kind": ("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", {}),
    "add a webhook": (
        "POST",
        "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
        {},
    ),
    "change a priority": ("DELETE", "/apis/scheduling.k8s.io/v1/priorityclasses/berth-serving"),
}
PATCHES = {"merge": "application/merge-patch+json", "apply": _APPLY}


@pytest.mark.parametrize("what", REFUSED)
def test_all_else_is_refused(subject, victim, what):
    method, path, *rest = REFUSED[what]
    body, kind = (*rest, None, None)[:2]
    answer = subject.ask(method, path, body, PATCHES.get(kind, "application/json"))
    assert answer.status_code == 403, answer.text
    assert "cannot" in answer.json()["message"]


@pytest.mark.parametrize("namespace", ["berth", "default"])
def test_what_the_account_may_do_is_the_golden_review(subject, namespace, request):
    """What the API server says of it; whatever anyone may ask about themselves is in there too."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    answer = subject.ask("POST", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", review)
    assert answer.status_code == 201, answer.text
    status = answer.json()["status"]
    assert not status["incomplete"]
    found = {kind: _sorted(status[kind]) for kind in ("resourceRules", "nonResourceRules")}
    text = yaml.safe_dump(found)
    path = GOLDEN / f"rules-{subject.name}-in-{namespace}.yaml"
    if request.config.getoption("--golden", default=False):
        path.write_text(text)
    assert path.read_text() == text, "make golden writes it anew"


def _sorted(rules):
    lists = ({key: sorted(value) for key, value in rule.items()} for rule in rules)
    return sorted(lists, key=lambda rule: json.dumps(rule, sort_keys=True))
