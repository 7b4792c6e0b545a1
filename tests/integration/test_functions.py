"""Every function through functions-framework on its staged bundle, alone, with nothing else on its path.

No service of the local stack runs here: it is about the seam between the platform and the code.
"""

import json
import sys
from pathlib import Path

import pytest

from berth.settings import FleetSettings
from infra import bundle, functions
from tests.support import access
from tests.support.bundled import NO_EVENT, Bundled, cloud_event

TABLE = functions.read()
EVENT_FUNCTIONS = sorted(name for name, f in TABLE.items() if not f.is_http)
HTTP_FUNCTIONS = sorted(set(TABLE) - set(EVENT_FUNCTIONS))
SETTINGS = {
    "GOOGLE_CLOUD_PROJECT": "test",
    "BERTH_UPLOADS_BUCKET": "uploads",
    "BERTH_MODELS_BUCKET": "models",
    "BERTH_CONTROL_BUCKET": "control",
    "BERTH_EVENTS_TOPIC": "projects/test/topics/events",
    "BERTH_ADMISSION_TOPIC": "projects/test/topics/admissions",
    "BERTH_SHARD_TOPIC": "projects/test/topics/shards",
    "BERTH_PROBE_URL": "http://127.0.0.1:9",
    "BERTH_NAMESPACE": "berth",
    "BERTH_SHARD_MANIFESTS": "manifests",
    "BERTH_MODELS_MOUNT": "/models",
    "BERTH_CLUSTER_ENDPOINT": "https://127.0.0.1:9",
    "BERTH_CLUSTER_AUTHORITY": access.another_authority(),
    "BERTH_IMAGE_REGISTRY": "",
    "BERTH_SERVING_MACHINE": "e2-standard-4",
    "BERTH_SERVING_DISK_GIB": "50",
    "STORAGE_EMULATOR_HOST": "http://127.0.0.1:9",
    "PUBSUB_EMULATOR_HOST": "127.0.0.1:9",
}


@pytest.fixture(scope="session")
def staged(tmp_path_factory):
    into = tmp_path_factory.mktemp("bundles")
    return {name: bundle.stage(function, into) for name, function in TABLE.items()}


def call(folder, name, requests, environment):
    """Send requests to one function, with the packages of this run; return answers and log lines."""
    python = Path(sys.executable)
    return Bundled(python, folder, name, name in HTTP_FUNCTIONS).call(requests, environment)


BAD = cloud_event({"message": {"data": "bm90IGpzb24=", "messageId": "m1"}})


@pytest.mark.parametrize("name", EVENT_FUNCTIONS)
def test_a_bad_event_is_acknowledged_and_logged_and_no_event_is_refused(name, staged):
    answers, logs = call(staged[name], name, [BAD, NO_EVENT], SETTINGS)
    assert [status for status, _ in answers] == [200, 400]
    (line,) = logs
    assert (line["function"], line["event_id"]) == (name, "e1")
    assert (line["severity"], line["outcome"]) == ("ERROR", "refused")
    assert line["reason"].startswith("InvalidEvent: ")


@pytest.mark.parametrize("name", EVENT_FUNCTIONS)
def test_missing_settings_are_named_all_together_and_the_event_comes_again(name, staged):
    answers, logs = call(staged[name], name, [BAD], {})
    assert answers[0][0] == 500
    (line,) = logs
    assert (line["severity"], line["outcome"]) == ("WARNING", "redelivered")
    needed = {key for key in TABLE[name].environment if key != "BERTH_IMAGE_REGISTRY"}
    assert [key for key in needed if key not in line["reason"]] == []


def test_status_tells_the_plan_of_the_fleet_that_reconcile_fleet_looks_after():
    shape = {field.alias for field in FleetSettings.model_fields.values()}
    fleet, status = (TABLE[name].environment for name in ("reconcile_fleet", "status"))
    assert {key: fleet.get(key) for key in shape} == {key: status.get(key) for key in shape}


def test_status_says_why_it_cannot_answer(staged):
    request = {"method": "GET", "path": "/fleet"}
    (answer,), _ = call(staged["status"], "status", [request], {})
    assert answer[0] == 503
    assert "BERTH_CONTROL_BUCKET" in json.loads(answer[1])["reason"]


def test_status_knows_its_paths(staged):
    requests = [{"method": "GET", "path": path} for path in ("/", "/nothing", "/models/Bad")]
    answers, _ = call(staged["status"], "status", requests, SETTINGS)
    assert [status for status, _ in answers] == [404, 404, 404]
    assert all(json.loads(body)["reason"] for _, body in answers)


def test_the_probe_needs_no_settings_and_refuses_what_is_no_request(staged):
    (answer,), _ = call(staged["probe_model"], "probe_model", [NO_EVENT], {})
    assert answer[0] == 400
    assert json.loads(answer[1])["reason"]
