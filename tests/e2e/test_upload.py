"""Uploads: from the inbox to every replica, however often and in whatever order their events come."""

import uuid

import pytest
from google.cloud import pubsub_v1

from tests.support import e2e
from tests.support.e2e import until


@pytest.fixture
def overheard(berth):
    """The bucket's notifications from now on, as a second subscriber hears them."""
    with pubsub_v1.SubscriberClient() as client:
        path = client.subscription_path(berth.project, f"overheard-{uuid.uuid4().hex[:8]}")
        topic = client.topic_path(berth.project, "uploads-finalized")
        client.create_subscription(name=path, topic=topic)
        heard = []

        def listen(prefix, count):
            until(
                f"{count} notifications",
                lambda: (
                    heard.extend(e2e.pull(client, path))
                    or len([m for m in heard if m.attributes["objectId"].startswith(prefix)])
                    >= count
                ),
            )
            return [m for m in heard if m.attributes["objectId"].startswith(prefix)]

        yield listen
        client.delete_subscription(subscription=path)


def test_duplicated_and_reordered_events_serve_once(berth, customer, overheard):
    servable, prefix = f"{customer}.own", f"{customer}/own/1"
    berth.fleet.upload(e2e.HALF_PLUS_TWO, prefix)
    heard = overheard(f"{prefix}/", len(list(e2e.HALF_PLUS_TWO.rglob("*.*"))))
    again = [
        berth.publish("uploads-finalized", message.data, **message.attributes)
        for message in [*heard[::-1], *heard[::-1]]
    ]
    berth.serves(servable, 1, e2e.TWO)
    for message in again:
        assert berth.handled("on_upload", message)["outcome"] in ("changed", "converged")
    berth.verdict(prefix, "ADMITTED")
    until("it is announced", lambda: berth.mail.of(servable, "model.serving", 1))
    berth.mail.said_once(servable, "model.admitted")
    berth.mail.said_once(servable, "model.serving")


def test_status_tells_state_replicas_and_usable_endpoints(berth, customer):
    servable = f"{customer}.told"
    berth.fleet.upload(e2e.HALF_PLUS_TWO, f"{customer}/told/7")
    berth.serves(servable, 7)
    until(
        "every replica is counted",
        lambda: (
            berth.fleet.model(servable)["versions"][0]["replicas"]
            == len(berth.fleet.ready(servable))
        ),
    )
    model = berth.fleet.model(servable)
    e2e.validate("status-model", model)
    assert (model["state"], model["versions"][0]["state"]) == ("SERVING", "SERVING")
    assert sorted(model["endpoints"]) == sorted(r.url for r in berth.fleet.ready(servable))
    assert {berth.predict(url, servable) for url in model["endpoints"]} == {e2e.TWO}
    row = berth.fleet.ask("/fleet")["shards"][model["shard"]]
    assert row["models"][servable]["state"] == "SERVING"
    assert row["capacity"]["bytes"] <= row["capacity"]["bound_bytes"]


@pytest.mark.parametrize("path", ["/models/nobody.nothing", "/models/%2e%2e", "/shards/x", "/y"])
def test_status_knows_what_it_does_not_know(berth, path):
    answer = berth.fleet.http.get(berth.stack.environment["BERTH_STATUS_URL"] + path, timeout=30)
    assert answer.status_code == 404
    assert "NotFound" in answer.json()["reason"]


def test_a_lost_event_is_found_by_the_sweep(berth, customer):
    prefix = f"{customer}/lost/1"
    url = f"{berth.stack.environment['STORAGE_EMULATOR_HOST']}/storage/v1/b"
    configs = f"{url}/{berth.fleet.uploads.name}/notificationConfigs"
    (config,) = berth.fleet.http.get(configs, timeout=10).json()["items"]
    assert berth.fleet.http.delete(f"{configs}/{config['id']}", timeout=10).ok
    try:
        berth.fleet.upload(e2e.HALF_PLUS_TWO, prefix)
    finally:
        body = {k: config[k] for k in ("topic", "payload_format", "event_types")}
        assert berth.fleet.http.post(configs, json=body, timeout=10).ok
    ordinary = berth.fleet.tick()
    berth.handled("reconcile_fleet", ordinary)
    assert berth.fleet.verdict(prefix) is None
    berth.fleet.tick(sweep=True)
    berth.serves(f"{customer}.lost", 1, e2e.TWO)
    assert berth.entries("on_upload", version=f"{customer}.lost/1") == []
