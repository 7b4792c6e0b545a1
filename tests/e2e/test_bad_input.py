"""Bad input gets a named error or a verdict with the reason, is acknowledged, and harms nobody else."""

import json

import pytest

from infra.demo import damage
from tests.support import e2e, hostile
from tests.support.e2e import until

BAD_EVENTS = {
    "no JSON": (b"\x00\xff{", "not JSON"),
    "no object": (b"[1, 2]", "not a JSON object"),
    "nothing": (b"{}", "unknown event type"),
    "unknown type": (b'{"type": "customer.promoted", "customer": "acme"}', "unknown event type"),
    "bad name": (b'{"type": "customer.closed", "customer": "../acme"}', "not a valid name"),
    "no customer": (b'{"type": "customer.closed"}', "lacks 'customer'"),
    "unknown plan": (
        b'{"type": "customer.signed_up", "customer": "acme", "plan": "gold"}',
        "unknown plan",
    ),
    "bad version": (
        b'{"type": "model.deleted", "customer": "acme", "model": "m", "version": "007"}',
        "not a plain decimal",
    ),
    "bad time": (
        b'{"specversion": "1.0", "type": "customer.closed", "time": "noon",'
        b' "data": {"customer": "acme"}}',
        "not RFC 3339",
    ),
    "too long": (json.dumps({"type": "x" * 70_000}).encode(), "more than"),
    "nested": (b"[" * 30_000, "not JSON"),
}


def refused(berth, part, message, reason):
    """The event was refused with the reason, once, and acknowledged."""
    entry = berth.handled(part, message)
    assert entry["outcome"] == "refused"
    assert reason in entry["reason"]
    assert f"message {message}," not in berth.stack.log("relay").read_text()


def test_bad_customer_events_are_refused_and_acknowledged(berth, customer):
    sent = {name: berth.publish("customer-events", data) for name, (data, _) in BAD_EVENTS.items()}
    for name, message in sent.items():
        refused(berth, "on_customer_event", message, BAD_EVENTS[name][1])
    assert berth.dead_letters() == []
    berth.serves(f"{customer}.starter", 1)


@pytest.mark.parametrize("topic", ["admission-requests", "shard-requests"])
def test_foreign_messages_on_our_own_topics_are_refused(berth, topic):
    part = {"admission-requests": "admit_model", "shard-requests": "reconcile_shard"}[topic]
    refused(berth, part, berth.publish(topic, {"shard": 7, "customer": "acme"}), "lacks")


def test_another_buckets_event_is_refused(berth):
    resource = {"bucket": "somebody-elses", "name": "acme/x/1/saved_model.pb", "generation": "1"}
    attributes = {
        "bucketId": resource["bucket"],
        "objectId": resource["name"],
        "objectGeneration": resource["generation"],
        "eventType": "OBJECT_FINALIZE",
        "payloadFormat": "JSON_API_V1",
    }
    message = berth.publish("uploads-finalized", resource, **attributes)
    refused(berth, "on_upload", message, "another bucket")


def test_an_incomplete_upload_serves_once_it_is_completed(berth, customer):
    prefix = f"{customer}/own/1"
    berth.fleet.upload(e2e.HALF_PLUS_TWO, prefix, only=lambda name: "variables.data" not in name)
    verdict = berth.verdict(prefix, "INCOMPLETE")
    assert verdict["missing"] == ["variables/variables.data-00000-of-00001"]
    assert berth.fleet.model(f"{customer}.own")["state"] == "PENDING"
    berth.fleet.upload(e2e.HALF_PLUS_TWO, prefix, only=lambda name: "variables.data" in name)
    berth.serves(f"{customer}.own", 1, e2e.TWO)
    berth.verdict(prefix, "ADMITTED")


def test_a_rejected_number_may_be_uploaded_again(berth, customer, tmp_path):
    prefix = f"{customer}/own/1"
    bad = damage.edited(e2e.HALF_PLUS_TWO, tmp_path / "bad", damage.reads_a_file)
    berth.fleet.upload(bad, prefix)
    assert "ReadFile" in berth.verdict(prefix, "REJECTED")["reason"]
    # the answer is written first, then what settles it
    until("it is settled", lambda: berth.fleet.model(f"{customer}.own")["state"] == "REJECTED")
    assert berth.fleet.model(f"{customer}.own")["endpoints"] == []
    berth.fleet.upload(e2e.HALF_PLUS_TWO, prefix)
    berth.serves(f"{customer}.own", 1, e2e.TWO)


def test_other_bytes_for_a_served_version_are_refused_while_it_serves_on(berth, customer):
    servable, prefix = f"{customer}.own", f"{customer}/own/1"
    berth.fleet.upload(e2e.HALF_PLUS_TWO, prefix)
    berth.serves(servable, 1, e2e.TWO)
    with berth.load(servable, (e2e.TWO,)):
        berth.fleet.upload(e2e.HALF_PLUS_THREE, prefix)
        until("they are refused", lambda: "refused" in berth.fleet.verdict(prefix))
        verdict = berth.verdict(prefix, "ADMITTED")
        assert "immutable" in verdict["refused"]
    berth.serves(servable, 1, e2e.TWO)
    until("it is said", lambda: berth.mail.ids(servable, "model.rejected", 1))


BAD_WISHES = {
    "keep: [": "not YAML",
    "pin: 99": "pins version 99, which is not admitted (admitted: 1)",
    "keep: &k 1\npin: *k": "anchors",
    "keep: 1\nkeep: 2": "twice",
    "keep: 1000": "keep",
    "canary: 1": "canary",
    "- keep": "serving.yaml",
    "# " + "x" * 20_000: "bytes",
    "[" * 500: "serving.yaml",
}


def test_a_bad_serving_yaml_is_answered_and_changes_nothing(berth, customer):
    servable, name = f"{customer}.own", f"{customer}/own/serving.yaml"
    berth.fleet.upload(e2e.HALF_PLUS_TWO, f"{customer}/own/1")
    berth.serves(servable, 1, e2e.TWO)
    for text, reason in BAD_WISHES.items():
        before = berth.fleet.verdict(name)
        berth.fleet.write(name, text)
        until(f"{text[:20]!r} is answered", lambda b=before: berth.fleet.verdict(name) != b)
        verdict = berth.verdict(name, "REJECTED")
        assert reason in verdict["reason"], text[:20]
    berth.serves(servable, 1, e2e.TWO)


def test_too_many_files_are_rejected(berth, stranger):
    berth.join(stranger, "free")
    prefix = f"{stranger}/own/1"
    for number in range(200):
        berth.fleet.write(f"{prefix}/assets/{number}", "x")
    berth.fleet.upload(e2e.HALF_PLUS_TWO, prefix)
    assert "more than 200 files" in berth.verdict(prefix, "REJECTED")["reason"]


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("{}/Bad_Name/1/saved_model.pb", "{}/Bad_Name/1"),
        ("{}/own/01/saved_model.pb", "{}/own/01"),
        ("{}/own/1e3/saved_model.pb", "{}/own/1e3"),
        ("{}/own/9999999999999999/saved_model.pb", "{}/own/9999999999999999"),
        ("{}/stray.txt", "{}/stray.txt"),
    ],
)
def test_an_object_that_is_no_versions_is_answered_once(berth, stranger, name, answer):
    berth.fleet.write(name.format(stranger), "?")
    reason = berth.verdict(answer.format(stranger), "REJECTED")["reason"]
    blob = berth.fleet.uploads.get_blob(answer.format(stranger) + ".status.json")
    passes = len(berth.entries("admit_model", reason=reason))
    berth.fleet.write(name.format(stranger), "again")
    until("a look", lambda: len(berth.entries("admit_model", reason=reason)) > passes)
    again = berth.fleet.uploads.get_blob(answer.format(stranger) + ".status.json")
    assert again.generation == blob.generation


def test_what_is_no_saved_model_is_rejected(berth, customer):
    contents = (b"", b"\x00" * 1000, b"x" * 3000, hostile.nested(10_000))
    for number, content in enumerate(contents, start=1):
        name = f"{customer}/junk/{number}/saved_model.pb"
        berth.fleet.uploads.blob(name).upload_from_string(content)
    for number in range(1, len(contents) + 1):
        assert berth.verdict(f"{customer}/junk/{number}", "REJECTED")["reason"]


def test_a_number_far_above_the_newest_is_rejected(berth, customer):
    prefix = f"{customer}/own/{10**15}"
    berth.fleet.upload(e2e.HALF_PLUS_TWO, prefix)
    assert "above the newest" in berth.verdict(prefix, "REJECTED")["reason"]
