"""What each adapter's calls tell of a service that refuses them, answers nonsense or is not there."""

import json
import time

import pytest
from kubernetes.client import Configuration

from berth.adapters import gcs, kubernetes, probe, pubsub
from berth.domain import errors
from berth.domain.manifest import Manifest
from berth.domain.probing import ProbeRequest
from tests.support import canned


@pytest.fixture
def service():
    with canned.server() as made:
        yield made


@pytest.fixture
def bucket(service, monkeypatch):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", service.url)
    monkeypatch.setattr(gcs, "RETRY", gcs.RETRY.with_timeout(0.12).with_delay(initial=0.02))
    client = gcs.client("contract", anonymous=True)
    yield gcs.GcsObjectStore(client, "bucket")
    client.close()


CALLS = {
    "get": lambda store, path: store.get("a"),
    "stat": lambda store, path: store.stat("a"),
    "list": lambda store, path: store.list(""),
    "folders": lambda store, path: store.folders(""),
    "put": lambda store, path: store.put("a", b"", if_generation=0),
    "put in any case": lambda store, path: store.put("a", b"", if_generation=None),
    "copy_from": lambda store, path: store.copy_from("b", "a", generation=1, name="a"),
    "delete": lambda store, path: store.delete("a"),
    "download": lambda store, path: store.download("a", generation=1, into=path / "a"),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("status", "ours"),
    [
        (400, errors.Retryable),
        (403, errors.Denied),
        (412, errors.Conflict),
        (429, errors.Throttled),
        (500, errors.Unavailable),
        (503, errors.Unavailable),
    ],
)
def test_each_call_of_the_store_means_what_the_service_said(
    service, bucket, tmp_path, call, status, ours
):
    service.status = status
    begun = time.monotonic()
    with pytest.raises(errors.BerthError) as caught:
        CALLS[call](bucket, tmp_path)
    assert caught.type is ours
    assert time.monotonic() - begun < 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("call", ["stat", "list", "put"])
def test_credentials_that_are_refused_are_an_operators_matter(service, bucket, tmp_path, call):
    service.status = 401
    with pytest.raises(errors.Denied):
        CALLS[call](bucket, tmp_path)


@pytest.mark.parametrize("call", ["get", "stat", "list", "folders", "put", "delete"])
def test_a_missing_bucket_is_no_missing_object(service, bucket, tmp_path, call):
    service.status = 404
    if call == "get":
        service.body = b"<Error><Code>NoSuchBucket</Code></Error>"
    else:
        text = "The specified bucket does not exist."
        service.body = json.dumps({"error": {"code": 404, "message": text}}).encode()
        service.headers = {"Content-Type": "application/json"}
    with pytest.raises(errors.Denied):
        CALLS[call](bucket, tmp_path)


@pytest.mark.parametrize("call", ["put in any case", "delete"])
def test_what_is_not_safe_to_repeat_is_sent_once(service, bucket, tmp_path, call):
    service.status = 503
    with pytest.raises(errors.Unavailable):
        CALLS[call](bucket, tmp_path)
    assert len(service.asked) == 1


def test_bytes_that_do_not_match_their_checksum_are_refused(service, bucket):
    service.body = b"damaged"
    service.headers = {
        "x-goog-hash": "crc32c=AAAAAA==",
        "x-goog-stored-content-length": "7",
        "x-goog-generation": "1",
        "Last-Modified": "Sat, 21 Nov 2026 06:47:19 GMT",
    }
    with pytest.raises(errors.Unavailable, match="checksum"):
        bucket.get("a")


def test_nobody_listening_is_unavailable(monkeypatch):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:1")
    monkeypatch.setattr(gcs, "RETRY", gcs.RETRY.with_timeout(0.12).with_delay(initial=0.02))
    client = gcs.client("contract", anonymous=True)
    with pytest.raises(errors.Unavailable):
        gcs.GcsObjectStore(client, "bucket").get("a")
    client.close()


def test_a_publisher_without_a_service_gives_up(monkeypatch):
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "127.0.0.1:1")
    monkeypatch.setattr(pubsub, "RETRY", pubsub.RETRY.with_timeout(0.3))
    client = pubsub.client()
    with pytest.raises(errors.Unavailable):
        pubsub.PubSubPublisher(client).publish("projects/contract/topics/any", b"x")
    client.transport.close()


def workloads(url):
    configuration = Configuration()
    configuration.host = url
    return kubernetes.KubernetesWorkloads("berth", kubernetes.ApiClient(configuration))


def test_a_kind_that_the_server_does_not_know_is_not_absent(service):
    service.status = 404
    text = "the server could not find the requested resource"
    service.body = json.dumps({"kind": "Status", "message": text, "details": {}}).encode()
    with pytest.raises(errors.NotFound):
        workloads(service.url).observe("s0")


def test_one_failed_part_fails_the_observation(service):
    service.status, service.body = 500, b"not json"
    with pytest.raises(errors.Unavailable):
        workloads(service.url).observe("s0")


def test_no_api_server_is_unavailable():
    with pytest.raises(errors.Unavailable):
        workloads("http://127.0.0.1:1").pods("s0")


REQUEST = ProbeRequest(bucket="uploads", prefix="acme/m/1/", manifest=Manifest(files=()))


def test_a_report_is_read(service):
    service.body = b'{"state": "REJECTED", "reason": "no"}'
    report = probe.HttpProbe(service.url, grants=False, timeout=5).probe(REQUEST)
    assert (report.state, report.reason) == ("REJECTED", "no")
    ((method, _, body),) = service.asked
    assert method == "POST"
    assert ProbeRequest.model_validate_json(body) == REQUEST


@pytest.mark.parametrize(
    ("status", "body", "ours"),
    [
        (200, b"{}", errors.Unavailable),
        (200, b"<html>", errors.Unavailable),
        (400, b"", errors.Retryable),
        (403, b"", errors.Denied),
        (429, b"", errors.Throttled),
        (500, b"", errors.Unavailable),
        (504, b"", errors.Unavailable),
    ],
)
def test_no_report_is_no_judgement(service, status, body, ours):
    service.status, service.body = status, body
    with pytest.raises(errors.BerthError) as caught:
        probe.HttpProbe(service.url, grants=False, timeout=5).probe(REQUEST)
    assert caught.type is ours


def test_a_report_that_would_fill_the_memory_is_read_no_further(service):
    text = "x" * probe.MAX_REPORT_BYTES
    service.body = b'{"state": "REJECTED", "reason": "%s"}' % text.encode()
    with pytest.raises(errors.Unavailable, match="more than"):
        probe.HttpProbe(service.url, grants=False, timeout=5).probe(REQUEST)


def test_a_probe_that_does_not_listen_is_unavailable():
    with pytest.raises(errors.Unavailable):
        probe.HttpProbe("http://127.0.0.1:1", grants=False, timeout=5).probe(REQUEST)


def test_a_grant_reads_one_prefix_alone():
    (rule,) = probe.boundary(REQUEST).rules
    assert rule.available_resource == "//storage.googleapis.com/projects/_/buckets/uploads"
    assert rule.available_permissions == ("inRole:roles/storage.objectViewer",)
    expression = rule.availability_condition.expression
    prefix = "projects/_/buckets/uploads/objects/acme/m/1/"
    assert expression == f"resource.name.startsWith('{prefix}')"


def test_a_prefix_that_would_break_the_condition_gets_no_grant():
    with pytest.raises(errors.Denied):
        probe.boundary(REQUEST.model_copy(update={"prefix": "x') || true || ('"}))
