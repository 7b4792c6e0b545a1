"""Customer events: every shape, twice, late and in the wrong order."""

import json

from tests.support import e2e
from tests.support.e2e import until

STARTER_QUESTION = [[1.0, 2.0]]
STARTER_ANSWER = [[2.5, 3.0]]


def starter_answers(berth, customer):
    """Whether the starter model answers on every replica."""
    servable = f"{customer}.starter"
    for replica in berth.fleet.ready(servable):
        url = f"{replica.url}/v1/models/{servable}:predict"
        body = berth.fleet.http.post(url, json={"instances": STARTER_QUESTION}, timeout=30).json()
        assert body == {"predictions": STARTER_ANSWER}


def test_plain_json_gives_a_home_shard_a_starter_model_and_a_training_request(berth, stranger):
    berth.customer_event("customer.signed_up", stranger, plan="standard")
    berth.serves(f"{stranger}.starter", 1)
    starter_answers(berth, stranger)
    until(
        "training is asked for", lambda: berth.mail.of(f"{stranger}.starter", "training.requested")
    )
    (event,) = berth.mail.of(f"{stranger}.starter", "training.requested")
    e2e.validate("model-event", event)
    assert event["data"] == {"customer": stranger, "plan": "standard"}
    assert stranger in berth.fleet.ask("/fleet")["customers"]


def test_a_cloudevent_three_times_signs_up_once(berth, stranger):
    time = "2026-01-01T00:00:00Z"
    sent = [
        berth.cloud_event("dev.berth.customer.signed_up", stranger, time, plan="free")
        for _ in range(3)
    ]
    for message in sent:
        berth.handled("on_customer_event", message)
    berth.serves(f"{stranger}.starter", 1)
    assert berth.account(stranger)["plan"] == "free"
    servable = f"{stranger}.starter"
    until("it is announced", lambda: berth.mail.of(servable, "model.serving"))
    berth.mail.said_once(servable, "training.requested")
    berth.mail.said_once(servable, "model.serving")


def test_a_cloudevent_in_binary_mode_signs_up(berth, stranger):
    attributes = {"ce-specversion": "1.0", "ce-type": "customer.signed_up", "ce-id": stranger}
    body = {"customer": stranger, "plan": "standard"}
    berth.publish("customer-events", body, **attributes, **{"ce-time": "2026-02-01T00:00:00Z"})
    berth.serves(f"{stranger}.starter", 1)


def test_a_plan_that_changed_before_the_sign_up_yields_to_it(berth, stranger):
    early = berth.cloud_event(
        "customer.plan_changed", stranger, "2026-01-01T00:00:00Z", plan="free"
    )
    berth.cloud_event("customer.signed_up", stranger, "2026-01-02T00:00:00Z", plan="enterprise")
    berth.handled("on_customer_event", early)
    assert berth.account(stranger)["plan"] == "enterprise"
    late = berth.cloud_event(
        "customer.plan_changed", stranger, "2026-01-03T00:00:00Z", plan="standard"
    )
    berth.handled("on_customer_event", late)
    assert berth.account(stranger)["plan"] == "standard"


def test_a_sign_up_older_than_the_goodbye_does_not_bring_the_customer_back(berth, stranger):
    berth.cloud_event("customer.signed_up", stranger, "2026-01-01T00:00:00Z", plan="free")
    berth.serves(f"{stranger}.starter", 1)
    closed = berth.cloud_event("customer.closed", stranger, "2026-01-03T00:00:00Z")
    late = berth.cloud_event("customer.signed_up", stranger, "2026-01-02T00:00:00Z", plan="free")
    for message in (closed, late):
        berth.handled("on_customer_event", message)
    assert berth.account(stranger)["state"] == "closed"
    berth.loaded_everywhere(f"{stranger}.starter")


def test_goodbye_retires_every_model_and_signing_up_again_restores_them(berth, customer):
    berth.fleet.upload(e2e.HALF_PLUS_TWO, f"{customer}/own/1")
    berth.serves(f"{customer}.own", 1, e2e.TWO)
    berth.customer_event("customer.closed", customer)
    for model in ("own", "starter"):
        servable = f"{customer}.{model}"
        berth.loaded_everywhere(servable)
        until(
            f"{servable} is retired",
            lambda servable=servable: berth.fleet.model(servable)["state"] == "RETIRED",
        )
        until("it is said", lambda s=servable: berth.mail.ids(s, "model.retired", 1))
    berth.fleet.upload(e2e.HALF_PLUS_THREE, f"{customer}/later/1")
    assert "closed" in berth.verdict(f"{customer}/later/1", "PENDING")["reason"]
    berth.fleet.sign_up(customer)
    berth.serves(f"{customer}.own", 1, e2e.TWO)
    berth.serves(f"{customer}.starter", 1)
    berth.serves(f"{customer}.later", 1, e2e.THREE)


def test_an_upload_before_the_sign_up_is_judged_at_sign_up(berth, stranger):
    berth.fleet.upload(e2e.HALF_PLUS_TWO, f"{stranger}/early/1")
    assert "sign" in berth.verdict(f"{stranger}/early/1", "PENDING")["reason"]
    assert berth.account(stranger) is None
    answer = berth.fleet.http.get(
        berth.stack.environment["BERTH_STATUS_URL"] + f"/models/{stranger}.early", timeout=30
    )
    assert answer.status_code == 404
    assert json.loads(answer.text)["reason"]
    berth.fleet.sign_up(stranger)
    berth.serves(f"{stranger}.early", 1, e2e.TWO)
    berth.verdict(f"{stranger}/early/1", "ADMITTED")
