"""Versions under load: kept, pinned, rolled back and deleted without one failed prediction."""

from tests.support import e2e
from tests.support.e2e import until

ANSWERS = (e2e.TWO, e2e.THREE)


def wish(berth, model, text):
    """Write a serving.yaml and wait until it was taken up."""
    name = f"{model}/serving.yaml"
    before = berth.fleet.verdict(name)
    berth.fleet.write(name, text)
    until(f"{name} is answered", lambda: berth.fleet.verdict(name) not in (None, before))
    verdict = berth.fleet.verdict(name)
    e2e.validate("verdict", verdict)
    assert verdict["state"] == "ADMITTED", verdict


def test_keep_pin_and_unpin_under_load(berth, customer):
    servable, folder = f"{customer}.own", f"{customer}/own"
    berth.fleet.upload(e2e.HALF_PLUS_TWO, f"{folder}/1")
    berth.serves(servable, 1, e2e.TWO)
    with berth.load(servable, ANSWERS):
        wish(berth, folder, "keep: 2\n")
        berth.fleet.upload(e2e.HALF_PLUS_THREE, f"{folder}/2")
        berth.loaded_everywhere(servable, 1, 2)
        until("2 is announced", lambda: berth.mail.ids(servable, "model.serving", 2))
        wish(berth, folder, "keep: 1\npin: 1\n")
        berth.loaded_everywhere(servable, 1)
        berth.serves(servable, 1, e2e.TWO)
        wish(berth, folder, "keep: 1\n")
        berth.loaded_everywhere(servable, 2)
        berth.serves(servable, 2, e2e.THREE)
    states = {row["version"]: row["state"] for row in berth.fleet.model(servable)["versions"]}
    assert states == {1: "RETIRED", 2: "SERVING"}


def test_a_deleted_version_gives_way_to_the_one_before_and_a_deleted_model_is_gone(berth, customer):
    servable, folder = f"{customer}.own", f"{customer}/own"
    berth.fleet.upload(e2e.HALF_PLUS_TWO, f"{folder}/1")
    berth.serves(servable, 1)
    with berth.load(servable, ANSWERS):
        berth.fleet.upload(e2e.HALF_PLUS_THREE, f"{folder}/2")
        berth.serves(servable, 2, e2e.THREE)
        berth.loaded_everywhere(servable, 2)
        berth.customer_event("model.deleted", customer, model="own", version=2)
        berth.loaded_everywhere(servable, 1)
        berth.serves(servable, 1, e2e.TWO)
    replicas = berth.fleet.ready(servable)
    sent = [berth.customer_event("model.deleted", customer, model="own") for _ in range(2)]
    for message in sent:
        berth.handled("on_customer_event", message)
    until("no replica has it", lambda: not any(berth.loaded(servable, replicas)))
    until("it is retired", lambda: berth.fleet.model(servable)["state"] == "RETIRED")
    assert berth.fleet.model(servable)["endpoints"] == []
    # Once when 2 took over, once with the model.
    until("it is said", lambda: len(berth.mail.ids(servable, "model.retired", 1)) == 2)
    berth.mail.said_once(servable, "model.retired", 2)
    berth.serves(f"{customer}.starter", 1)


def test_newest_wins_whatever_the_order_of_uploads(berth, customer):
    servable = f"{customer}.own"
    berth.fleet.upload(e2e.HALF_PLUS_THREE, f"{customer}/own/20")
    berth.serves(servable, 20, e2e.THREE)
    berth.fleet.upload(e2e.HALF_PLUS_TWO, f"{customer}/own/3")
    berth.verdict(f"{customer}/own/3", "ADMITTED")
    rows = [row["version"] for row in berth.fleet.model(servable)["versions"]]
    assert rows == [20, 3]
    berth.serves(servable, 20, e2e.THREE)
