"""A stack without Kubernetes whose functions only say what reached them: relay, restarts, end."""

import base64
import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
import requests

from infra import schedules
from infra.local import stack, state, storage
from infra.local.layout import Options
from infra.local.site import LOCATION, PROJECT
from infra.local.stack import NotStarted
from tests.support import json_log

ECHO = Path(__file__).parents[2] / "support" / "echo" / "functions.yaml"
OPTIONS = Options(table=ECHO, cluster=False, owner=os.getpid())


def until(condition, seconds=20.0):
    """The first true value of `condition`; fail after `seconds`."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.02)
    return value


class Echo:
    """The stack, what its functions said, and a way to send them something."""

    def __init__(self, running):
        self.stack = running
        self.names = running.environment
        self.pubsub = f"http://{self.names['PUBSUB_EMULATOR_HOST']}/v1/projects/{PROJECT}"
        self.relay = self.names["BERTH_STATUS_URL"].removesuffix("/http/status")

    def publish(self, *messages):
        """Publish and return the message ids."""
        encoded = [base64.b64encode(json.dumps(one).encode()).decode() for one in messages]
        body = {"messages": [{"data": one, "attributes": {"k": "v"}} for one in encoded]}
        answer = requests.post(f"{self.pubsub}/topics/echo-events:publish", json=body, timeout=10)
        answer.raise_for_status()
        return answer.json()["messageIds"]

    def said(self, part="on_echo"):
        """What a function printed, in order."""
        return json_log.entries(self.stack.log(part))

    def deliveries(self, identity):
        return [one for one in self.said() if one["attributes"]["id"] == identity]


@pytest.fixture(scope="module")
def echo(tmp_path_factory):
    with stack.start(tmp_path_factory.mktemp("stack"), OPTIONS) as running:
        yield Echo(running)


def test_a_message_arrives_as_a_binary_cloudevent(echo):
    (identity,) = echo.publish({"hello": "world"})
    (seen,) = until(lambda: echo.deliveries(identity))
    topic = f"projects/{PROJECT}/topics/echo-events"
    assert seen["attributes"]["type"] == "google.cloud.pubsub.topic.v1.messagePublished"
    assert seen["attributes"]["source"] == f"//pubsub.googleapis.com/{topic}"
    assert seen["data"]["message"]["messageId"] == identity
    assert seen["data"]["message"]["attributes"] == {"k": "v"}
    assert seen["data"]["subscription"] == f"projects/{PROJECT}/subscriptions/on-echo"


def test_a_function_is_told_what_its_row_says_and_no_more(echo):
    (identity,) = echo.publish({})
    (seen,) = until(lambda: echo.deliveries(identity))
    assert seen["environment"]["GOOGLE_CLOUD_PROJECT"] == PROJECT
    assert "PYTHONPATH" not in seen["environment"]
    assert not [name for name in seen["environment"] if name.startswith("BERTH")]


def test_an_uploaded_object_arrives_as_its_buckets_notification(echo):
    bucket = storage.client(echo.names["STORAGE_EMULATOR_HOST"], PROJECT).bucket("berth-uploads")
    name = "acme/a b/1/é\x07%.pb"
    bucket.blob(name).upload_from_string(b"12345")
    (seen,) = until(lambda: echo.said("on_object"))
    assert seen["attributes"]["type"] == "google.cloud.pubsub.topic.v1.messagePublished"
    message = seen["data"]["message"]
    assert message["attributes"]["eventType"] == "OBJECT_FINALIZE"
    assert message["attributes"]["bucketId"] == "berth-uploads"
    assert message["attributes"]["objectId"] == name
    resource = json.loads(base64.b64decode(message["data"]))
    assert (resource["name"], resource["size"]) == (name, "5")
    assert resource["generation"] == message["attributes"]["objectGeneration"]


def test_the_starter_template_is_there(echo):
    bucket = storage.client(echo.names["STORAGE_EMULATOR_HOST"], PROJECT).bucket("berth-models")
    names = {blob.name for blob in bucket.list_blobs(prefix="templates/starter/1/")}
    assert "templates/starter/1/saved_model.pb" in names
    assert "templates/starter/1/variables/variables.index" in names


def test_the_schedules_are_applied_as_a_deployment_does_and_all_of_them_ran_once(echo):
    host, log = echo.names["BERTH_SCHEDULER_HOST"], echo.stack.log("ticker")
    with schedules.connect(host) as client:
        assert schedules.apply_all(client, PROJECT, LOCATION) == []
    for one in schedules.read():
        until(lambda one=one: f"berth-{one.name} -> {one.topic}" in log.read_text())


def test_jobs_and_their_messages_survive_the_death_of_cloud_scheduler(echo):
    heard = f"{echo.pubsub}/subscriptions/heard"
    topic = f"projects/{PROJECT}/topics/fleet-ticks"
    requests.put(heard, json={"topic": topic}, timeout=10).raise_for_status()
    pid = echo.stack.parts["ticker"]
    psutil.Process(pid).kill()
    until(lambda: echo.stack.parts.get("ticker", pid) != pid)
    with schedules.connect(echo.names["BERTH_SCHEDULER_HOST"]) as client:
        name = f"projects/{PROJECT}/locations/{LOCATION}/jobs/berth-sweep"
        ran = client.run_job(name=name, retry=schedules.RETRY)
        assert ran.pubsub_target.topic_name == topic
        assert schedules.apply_all(client, PROJECT, LOCATION) == []
    sweeps = []

    def swept():
        pulled = requests.post(f"{heard}:pull", json={"maxMessages": 9}, timeout=30).json()
        data = [base64.b64decode(m["message"]["data"]) for m in pulled.get("receivedMessages", ())]
        sweeps.extend(one for one in data if one == b'{"sweep": true}')
        return sweeps

    until(swept)


def test_a_raised_exception_is_delivered_again(echo):
    (identity,) = echo.publish({"raise": True, "times": 1})
    until(lambda: len(echo.deliveries(identity)) == 2)


def test_a_call_that_takes_too_long_is_delivered_again(echo):
    (identity,) = echo.publish({"seconds": 1.5, "times": 1})
    until(lambda: len(echo.deliveries(identity)) == 2)
    assert f"message {identity}, attempt 1: 504" in echo.stack.log("relay").read_text()


def test_no_more_calls_at_a_time_than_the_row_says(echo):
    identities = set(echo.publish(*[{"seconds": 0.1}] * 12))

    def seen():
        return [one for one in echo.said() if one["attributes"]["id"] in identities]

    until(lambda: len(seen()) == 12)
    assert max(one["running"] for one in seen()) == 2


def test_a_message_refused_for_good_ends_in_the_dead_letter_topic_and_holds_nobody_up(echo):
    (bad,) = echo.publish({"raise": True})
    (good,) = echo.publish({"fine": True})
    until(lambda: echo.deliveries(good), 2)

    def dead():
        url = f"{echo.pubsub}/subscriptions/echo-events-dead:pull"
        answer = requests.post(url, json={"maxMessages": 10}, timeout=30).json()
        return answer.get("receivedMessages")

    (letter,) = until(dead, 30)
    assert json.loads(base64.b64decode(letter["message"]["data"])) == {"raise": True}
    assert len(echo.deliveries(bad)) == 5


def test_http_calls_pass_through_with_path_query_body_and_status(echo):
    url = f"{echo.relay}/http/answer/a%20b/c?status=418&x=%2F"
    answer = requests.put(url, data="hey", timeout=10)
    assert answer.status_code == 418
    said = answer.json()
    assert (said["method"], said["path"], said["body"]) == ("PUT", "/a b/c", "hey")
    assert requests.get(f"{echo.relay}/http/nothing/", timeout=10).status_code == 404


def test_http_calls_wait_for_an_instance_and_go_to_each(echo):
    def call(_):
        return requests.get(f"{echo.relay}/http/answer/?seconds=0.3", timeout=10).json()["port"]

    begun = time.monotonic()
    with ThreadPoolExecutor(6) as pool:
        ports = list(pool.map(call, range(6)))
    assert time.monotonic() - begun >= 0.9
    assert sorted(ports.count(port) for port in set(ports)) == [3, 3]


def test_a_killed_function_is_started_again_and_named(echo):
    before = echo.stack.parts["on_echo"]
    os.kill(before, signal.SIGKILL)
    until(lambda: echo.stack.parts["on_echo"] != before)
    until(lambda: "on_echo: ready again" in echo.stack.folder.log.read_text())
    (identity,) = echo.publish({"again": True})
    until(lambda: echo.deliveries(identity))
    assert any(
        note.startswith(f"on_echo (pid {before}) ended: SIGKILL") for note in echo.stack.notes
    )


def killed(echo, part):
    """Kill a part; return when another one has been given what it forgot."""
    before, said = echo.stack.parts[part], echo.stack.folder.log.read_text().count(f"{part}: ready")
    os.kill(before, signal.SIGKILL)
    until(lambda: echo.stack.parts.get(part, before) != before)
    until(lambda: echo.stack.folder.log.read_text().count(f"{part}: ready") > said)


def test_pubsub_that_was_killed_is_given_its_topics_and_subscriptions_again(echo):
    killed(echo, "pubsub")
    began = len(echo.said())
    echo.publish({"after": "the kill"})
    until(lambda: len(echo.said()) > began)


def test_storage_that_was_killed_keeps_its_objects_and_tells_of_new_ones(echo):
    bucket = storage.client(echo.names["STORAGE_EMULATOR_HOST"], PROJECT).bucket("berth-uploads")
    bucket.blob("acme/kept/1/a.pb").upload_from_string(b"kept")
    generation = bucket.get_blob("acme/kept/1/a.pb").generation
    killed(echo, "storage")
    assert bucket.get_blob("acme/kept/1/a.pb").generation == generation
    bucket.blob("acme/new/1/a.pb").upload_from_string(b"new")

    def told():
        said = [one["data"]["message"]["attributes"]["objectId"] for one in echo.said("on_object")]
        return "acme/new/1/a.pb" in said

    until(told)


def test_a_write_that_a_killed_storage_had_begun_stops_no_listing(echo):
    client = storage.client(echo.names["STORAGE_EMULATOR_HOST"], PROJECT)
    objects = echo.stack.folder.path / "storage" / "objects"
    (objects / "berth-uploads" / "torn.pb").write_bytes(b"half")
    assert [path.name for path in storage.torn(objects)] == ["torn.pb"]
    killed(echo, "storage")
    assert "torn.pb" not in {blob.name for blob in client.list_blobs("berth-uploads")}


def test_two_stacks_run_side_by_side_and_one_end_leaves_the_other_alone(echo, tmp_path):
    with stack.start(tmp_path, OPTIONS) as other:
        assert other.environment["STORAGE_EMULATOR_HOST"] != echo.names["STORAGE_EMULATOR_HOST"]
        family = psutil.Process(other.folder.read().supervisor.pid)
        started = [family, *family.children(recursive=True)]
        assert len(started) > len(other.parts)
        with pytest.raises(stack.AlreadyUp):
            stack.start(tmp_path, OPTIONS)
    assert [one for one in started if one.is_running()] == []
    assert {one.name for one in tmp_path.iterdir()} == {".berth-stack", "logs", "stack.log"}
    (identity,) = echo.publish({})
    until(lambda: echo.deliveries(identity))


def test_what_a_killed_supervisor_left_is_ended_by_stop(tmp_path):
    running = stack.start(tmp_path, OPTIONS)
    family = psutil.Process(running.folder.read().supervisor.pid)
    started = [family, *family.children(recursive=True)]
    family.kill()
    running.stop()
    psutil.wait_procs(started, timeout=5)
    assert [one for one in started if one.is_running() and one.status() != "zombie"] == []
    assert not (tmp_path / "state.json").exists()


def test_a_function_that_does_not_start_is_named_with_the_end_of_its_log(tmp_path):
    for name in ("on_echo", "on_object", "answer"):
        (tmp_path / "table" / name).mkdir(parents=True)
        for file in ("main.py", "requirements.lock"):
            text = (ECHO.parent / name / file).read_text()
            (tmp_path / "table" / name / file).write_text(text)
    (tmp_path / "table" / "functions.yaml").write_text(ECHO.read_text())
    (tmp_path / "table" / "answer" / "main.py").write_text("import no_such_module\n")
    said = []
    options = Options(table=tmp_path / "table" / "functions.yaml", cluster=False)
    with pytest.raises(NotStarted):
        stack.start(tmp_path / "stack", options, say=said.append)
    text = "\n".join(said)
    assert "answer-" in text
    assert "ended: exit code 1" in text
    assert "No module named 'no_such_module'" in text
    assert not (tmp_path / "stack" / "state.json").exists()


def test_a_foreign_folder_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(state.NotAStack):
        stack.start(tmp_path, OPTIONS)
    assert not stack.stop(tmp_path)
    assert [one.name for one in tmp_path.iterdir()] == ["thesis.txt"]
