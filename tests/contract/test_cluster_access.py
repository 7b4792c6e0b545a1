"""How reconcile_shard reaches its cluster: whom it trusts, whose token it sends, and when a new one."""

import base64
import importlib
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from google.auth.compute_engine import _metadata

from berth.adapters import cluster_tokens, kubernetes
from berth.adapters.kubernetes import KubernetesWorkloads
from berth.domain.errors import Denied, Unavailable
from infra.local import kubernetes as local
from infra.local.kube_api import Api
from tests.support import access

SCOPES = [
    f"https://www.googleapis.com/auth/{name}" for name in ("cloud-platform", "userinfo.email")
]
HERE = "/api/v1/namespaces/default"


@pytest.fixture(scope="module")
def metadata_server(tmp_path_factory):
    """Google's metadata server, and nothing else that could give credentials."""
    with access.metadata() as served, pytest.MonkeyPatch.context() as patch:
        for name in ("GCE_METADATA_HOST", "GCE_METADATA_IP", "GCE_METADATA_ROOT"):
            patch.setenv(name, served.host)
        patch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
        patch.setenv("CLOUDSDK_CONFIG", str(tmp_path_factory.mktemp("gcloud")))
        # The addresses are read when it is imported.
        importlib.reload(_metadata)
        yield served
    importlib.reload(_metadata)


@pytest.fixture
def metadata(metadata_server):
    metadata_server.tokens, metadata_server.asked = [], []
    metadata_server.seconds, metadata_server.status = 3600, 200
    return metadata_server


@pytest.fixture
def world(kubeconfig):
    """Connects to the cluster with a source of tokens; closes all connections in the end."""
    clients = []
    endpoint, authority, _ = access.cluster(kubeconfig)

    def connect(token, endpoint=endpoint, authority=authority):
        clients.append(kubernetes.connect(endpoint, authority, token))
        return KubernetesWorkloads("default", clients[-1])

    yield connect
    for client in clients:
        client.close()


@pytest.fixture
def viewer(kubeconfig):
    """The administrator's client, while the account `default` may look around."""
    api = Api(kubeconfig)
    group = "rbac.authorization.k8s.io"
    bindings = f"/apis/{group}/v1/namespaces/default/rolebindings"
    binding = {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "a-viewer"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "view"},
        "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": "default"}],
    }
    api.apply(f"{bindings}/a-viewer", binding, "test")
    yield api
    api.delete(f"{bindings}/a-viewer")
    api.close()


@pytest.fixture
def own(kubeconfig):
    return access.cluster(kubeconfig)[2]


def test_googles_token_opens_the_cluster_and_is_kept(metadata, world, own):
    metadata.tokens = [own]
    workloads = world(cluster_tokens.GoogleToken())
    assert metadata.asked == []
    assert workloads.pods("s0") == ()
    assert workloads.observe("s0").pods == ()
    assert metadata.asked == [SCOPES]


def test_a_token_that_is_about_to_expire_is_renewed_before(metadata, world, own):
    metadata.tokens, metadata.seconds = ["never sent", own], 60
    token = cluster_tokens.GoogleToken()
    assert token() == "never sent"
    metadata.seconds = 3600
    workloads = world(token)
    assert workloads.pods("s0") == workloads.pods("s1") == ()
    assert len(metadata.asked) == 2


def test_a_refused_token_is_replaced_once_for_all_threads(metadata, world, own):
    metadata.tokens = ["was revoked", own]
    workloads = world(cluster_tokens.GoogleToken())
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(workloads.pods, [f"s{n}" for n in range(8)])) == [()] * 8
    assert len(metadata.asked) == 2


def test_a_token_that_dies_while_it_is_used_is_replaced_from_the_file(
    kubeconfig, viewer, world, tmp_path
):
    """The first is bound to a secret: it dies with that, once the API server forgets its verdict."""
    secret = viewer.post(f"{HERE}/secrets", {"metadata": {"generateName": "bound-"}})["metadata"]
    bound = {"apiVersion": "v1", "kind": "Secret", "name": secret["name"], "uid": secret["uid"]}
    asked = {"spec": {"boundObjectRef": bound}}
    first = viewer.post(f"{HERE}/serviceaccounts/default/token", asked)["status"]["token"]
    path = tmp_path / "token"
    path.write_text(first)
    workloads, dying = world(cluster_tokens.FileToken(path)), world(lambda refused="": first)
    assert workloads.pods("s0") == dying.pods("s0") == ()
    viewer.delete(f"{HERE}/secrets/{secret['name']}")
    deadline = time.monotonic() + 30
    while not refused(dying):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    with pytest.raises(Denied, match="401"):
        workloads.pods("s0")
    local.write_token(kubeconfig, "default", path, "default")
    assert workloads.pods("s0") == ()


def refused(workloads):
    try:
        workloads.pods("s0")
    except Denied:
        return True
    return False


def test_a_token_that_stays_refused_is_an_operators_matter(metadata, world):
    metadata.tokens = ["unknown"]
    with pytest.raises(Denied, match="401"):
        world(cluster_tokens.GoogleToken()).pods("s0")
    assert len(metadata.asked) == 2


def test_what_rbac_forbids_is_an_operators_matter(kubeconfig, world, tmp_path):
    path = local.write_token(kubeconfig, "default", tmp_path / "token", "kube-public")
    with pytest.raises(Denied, match="403"):
        world(cluster_tokens.FileToken(path)).pods("s0")


def test_a_server_of_another_authority_is_not_trusted(world, own):
    with pytest.raises(Denied, match="certificate verify failed"):
        world(lambda refused="": own, authority=access.another_authority()).pods("s0")


def test_a_server_that_does_not_listen_is_unavailable(world, own):
    with pytest.raises(Unavailable):
        world(lambda refused="": own, endpoint="https://127.0.0.1:1").pods("s0")


def test_an_account_that_gets_no_token_is_an_operators_matter(metadata, world):
    metadata.tokens, metadata.status = ["x"], 403
    with pytest.raises(Denied, match="access token"):
        world(cluster_tokens.GoogleToken()).pods("s0")


@pytest.mark.parametrize(
    ("endpoint", "authority", "said"),
    [
        ("http://cluster", access.another_authority(), "endpoint"),
        ("", "", "endpoint"),
        ("https://cluster", "", "authority"),
        ("https://cluster", "no base64!", "authority"),
        ("https://cluster", base64.b64encode(b"no certificate").decode(), "authority"),
        ("https://cluster", base64.b64encode(b"\xff").decode(), "authority"),
    ],
)
def test_a_damaged_address_is_an_operators_matter(endpoint, authority, said):
    with pytest.raises(Denied, match=said):
        kubernetes.connect(endpoint, authority, cluster_tokens.GoogleToken())


@pytest.mark.parametrize("content", [None, " \n"])
def test_a_file_without_a_token_is_an_operators_matter(tmp_path, content):
    path = tmp_path / "token"
    if content is not None:
        path.write_text(content)
    with pytest.raises(Denied, match="cluster token"):
        cluster_tokens.FileToken(path)()
