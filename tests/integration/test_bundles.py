"""What is deployed works with what it says it needs: bundles are the same bytes wherever they are built,
and each function answers real events in an environment that holds its own locked packages alone.

No cluster and no probe's address is there: what needs one must come again, and say why.
"""

import base64
import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import google_crc32c
import pytest
import requests

from berth.adapters import gcs
from berth.domain.manifest import Manifest, ManifestFile
from berth.domain.probing import ProbeRequest
from infra import bundle, functions, templates
from infra.dependencies import environment, locks
from infra.local import setup
from tests.support import access, emulators
from tests.support.bundled import JSON, Bundled, cloud_event

TABLE = functions.read()
LOCKS = locks.of_functions()
BUCKETS = ("uploads", "models", "control")
TOPICS = ("events", "admission", "shard")
# What no function may lean on: the tests' tools, the project's other half, another function's packages.
OTHERS = (
    "infra",
    "tests",
    "berth",
    "pytest",
    "numpy",
    "tensorflow",
    "kubernetes",
    "aiohttp",
    "pip",
)
INSTALLED = """
import importlib.metadata as metadata, importlib.util as util, json, sys
print(json.dumps({
    "python": "python%d%d" % sys.version_info[:2],
    "packages": {one.name.lower().replace("_", "-"): one.version for one in metadata.distributions()},
    "others": [name for name in sys.argv[1:] if util.find_spec(name)],
}))
"""


@pytest.fixture(scope="session")
def interpreters():
    """Each function's interpreter; functions with the same lock share one."""
    return {name: environment.python("bundle", lock) for name, lock in LOCKS.items()}


@pytest.fixture(scope="session")
def bundled(tmp_path_factory, interpreters):
    into = tmp_path_factory.mktemp("bundles")
    return {
        name: Bundled(interpreters[name], bundle.stage(function, into), name, function.is_http)
        for name, function in TABLE.items()
    }


@pytest.fixture(scope="session")
def settings(tmp_path_factory):
    """A deployment's settings: its buckets and topics are there and empty."""
    folder = tmp_path_factory.mktemp("emulators")
    token = folder / "token"
    token.write_text("nobody's")
    with emulators.cloud_storage(folder) as storage, emulators.pub_sub(folder) as pub_sub:
        for bucket in BUCKETS:
            made = requests.post(f"{storage}/storage/v1/b", json={"name": bucket}, timeout=10)
            made.raise_for_status()
        for topic in TOPICS:
            url = f"http://{pub_sub}/v1/projects/test/topics/{topic}"
            requests.put(url, json={}, timeout=10).raise_for_status()
        yield {
            "GOOGLE_CLOUD_PROJECT": "test",
            **{f"BERTH_{bucket.upper()}_BUCKET": bucket for bucket in BUCKETS},
            **{f"BERTH_{topic.upper()}_TOPIC": f"projects/test/topics/{topic}" for topic in TOPICS},
            "BERTH_PROBE_URL": "http://127.0.0.1:9",
            "BERTH_NAMESPACE": "berth",
            "BERTH_SHARD_MANIFESTS": "manifests",
            "BERTH_MODELS_MOUNT": "/models",
            "BERTH_CLUSTER_ENDPOINT": "https://127.0.0.1:9",
            "BERTH_CLUSTER_AUTHORITY": access.another_authority(),
            "BERTH_CLUSTER_TOKEN_FILE": str(token),
            "BERTH_IMAGE_REGISTRY": "",
            "BERTH_SERVING_MACHINE": "e2-standard-4",
            "BERTH_SERVING_DISK_GIB": "50",
            "STORAGE_EMULATOR_HOST": storage,
            "PUBSUB_EMULATOR_HOST": pub_sub,
        }


@pytest.fixture(scope="session")
def client(settings):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STORAGE_EMULATOR_HOST", settings["STORAGE_EMULATOR_HOST"])
        made = gcs.client("test", anonymous=True)
        yield made
        made.close()


@pytest.fixture(scope="session")
def uploaded(client):
    """The starter template as acme's own model, saved_model.pb last: the files' manifest."""
    starter = setup.prepare(print, cluster=False).starter
    templates.install_templates(client.bucket("models"), starter)
    templates.record_template(gcs.GcsObjectStore(client, "control"), starter)
    paths = [path for path in starter.rglob("*") if path.is_file()]
    files = []
    for path in sorted(paths, key=lambda path: path.name == "saved_model.pb"):
        name, content = path.relative_to(starter).as_posix(), path.read_bytes()
        blob = client.bucket("uploads").blob(f"acme/churn/1/{name}")
        blob.upload_from_string(content)
        crc32c = base64.b64encode(google_crc32c.Checksum(content).digest()).decode()
        size, generation = len(content), blob.generation
        files.append(ManifestFile(name=name, generation=generation, size=size, crc32c=crc32c))
    return Manifest(files=tuple(files))


def message(body, **attributes):
    data = base64.b64encode(json.dumps(body).encode()).decode()
    told = {"data": data, "messageId": "m1", "publishTime": "2026-11-21T09:00:00Z"}
    return cloud_event({"message": {**told, "attributes": attributes}})


def finalized(name):
    resource = {"bucket": "uploads", "name": name, "generation": "1"}
    told = {"bucketId": "uploads", "objectId": name, "objectGeneration": "1"}
    return message(resource, eventType="OBJECT_FINALIZE", payloadFormat="JSON_API_V1", **told)


@pytest.fixture(scope="session")
def answers(bundled, settings, uploaded):
    """What each function answers on the first morning of a customer, and what it logs."""
    sign_up = {"type": "customer.signed_up", "customer": "acme", "plan": "standard"}
    versions = ({"customer": "acme", "model": "churn", "version": n} for n in (1, 2))
    probe = ProbeRequest(bucket="uploads", prefix="acme/churn/1/", manifest=uploaded)
    first = {"reconcile_fleet": [message({})], "on_customer_event": [message(sign_up)]}
    then = {
        "probe_model": [{"headers": JSON, "data": probe.model_dump_json()}],
        "on_upload": [finalized("acme/churn/1/saved_model.pb")],
        "admit_model": [message(version) for version in versions],
        "reconcile_shard": [message({"shard": "shard-0"})],
        "status": [{"method": "GET", "path": path} for path in ("/fleet", "/metrics", "/plan")],
    }
    told = {name: bundled[name].call(events, settings) for name, events in first.items()}
    with ThreadPoolExecutor(2) as pool:
        called = pool.map(lambda name: bundled[name].call(then[name], settings), then)
    return told | dict(zip(then, called, strict=True))


@pytest.mark.parametrize(
    ("name", "statuses", "outcomes"),
    [
        ("reconcile_fleet", [200], [("changed", "")]),
        ("on_customer_event", [200], [("changed", "")]),
        ("on_upload", [200], [("changed", "")]),
        (
            "admit_model",
            [500, 200],
            [("redelivered", "Unavailable: probe: ConnectionError"), ("converged", "settled")],
        ),
        ("reconcile_shard", [500], [("redelivered", "Unavailable: ")]),
    ],
)
def test_an_event_is_answered_with_the_functions_own_packages_alone(
    name, statuses, outcomes, answers
):
    answered, lines = answers[name]
    assert [status for status, _ in answered] == statuses, lines
    said = [(line["outcome"], line.get("reason", "")) for line in lines]
    assert [one for one, _ in said] == [one for one, _ in outcomes]
    assert all(
        text.startswith(wanted) for (_, text), (_, wanted) in zip(said, outcomes, strict=True)
    )


def test_a_real_model_is_loaded_by_the_probes_own_tensorflow(answers):
    (((status, text),), _) = answers["probe_model"]
    report = json.loads(text)
    assert (status, report["state"]) == (200, "ACCEPTED"), report["reason"]
    assert (
        report["tensorflow_version"] == locks.read(LOCKS["probe_model"])["tensorflow-cpu"].version
    )


def test_the_fleet_is_shown_by_status_with_its_own_packages_alone(answers, settings):
    (((fleet, text), (metrics, lines), (plan, told)), _) = answers["status"]
    assert (fleet, metrics, plan) == (200, 200, 200)
    assert json.loads(told)["basis"]["machine"] == settings["BERTH_SERVING_MACHINE"]
    assert sorted(json.loads(text)["shards"]) == ["shard-0", "shard-1"]
    assert "berth_" in lines


@pytest.mark.parametrize("name", TABLE)
def test_nothing_is_installed_but_what_the_functions_lock_names(name, interpreters):
    command = (str(interpreters[name]), "-I", "-c", INSTALLED, *OTHERS)
    found = json.loads(subprocess.check_output(command, cwd="/"))
    locked = {pin.name: pin.version for pin in locks.read(LOCKS[name]).values()}
    assert found["packages"] == locked
    own = {"numpy", "tensorflow"} if name == "probe_model" else set()
    own |= {"kubernetes", "aiohttp"} if name == "reconcile_shard" else set()
    assert set(found["others"]) <= own
    assert found["python"] == TABLE[name].runtime


@pytest.mark.parametrize(
    "lock", sorted({path.read_bytes(): name for name, path in LOCKS.items()}.values())
)
def test_the_packages_of_a_lock_agree_with_each_other_as_the_build_checks(lock, interpreters):
    """Google's buildpack ends with `pip check` and fails the deployment on what it finds."""
    assert environment.disagreements(interpreters[lock]) == ""


def build(project, into, umask, **changes):
    """Build all bundles from a project's folder; return name and bytes of each."""
    command = (sys.executable, "-m", "infra.bundle", "--into", str(into))
    kept = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "PYTHONPATH": "shared:."}
    environ = kept | changes
    subprocess.run(command, cwd=project, env=environ, umask=umask, check=True, capture_output=True)
    return {path.name: path.read_bytes() for path in into.iterdir()}


def test_bundles_are_the_same_bytes_from_another_folder_time_user_and_seed(tmp_path):
    here = build(functions.ROOT, tmp_path / "here", 0o022, PYTHONHASHSEED="0")
    assert len(here) == len(TABLE)
    away = tmp_path / "another place"
    away.mkdir(mode=0o700)
    for folder in ("functions", "infra", "k8s", "shared"):
        shutil.copytree(functions.ROOT / folder, away / folder, copy_function=shutil.copyfile)
    for number, path in enumerate(sorted(away.rglob("*"))):
        os.utime(path, (number * 86_400, number * 86_400))
        path.chmod(0o700)
    elsewhere = {
        "PYTHONHASHSEED": "4711",
        "TZ": "Asia/Tokyo",
        "LC_ALL": "C",
        "SOURCE_DATE_EPOCH": "1",
    }
    assert build(away, tmp_path / "away", 0o077, **elsewhere) == here
