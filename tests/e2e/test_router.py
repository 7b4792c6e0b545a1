"""The door of a running stack: REST and gRPC, versions, labels and canaries, keys, and 0 failed requests."""

import json
import math
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
import pytest

from tests.support import e2e
from tests.support.e2e import until
from tests.support.e2e_door import Caller, DoorLoad

ASKED, PERCENT = 2000, 10
# Six standard deviations of a binomial count: one run in 10^9 would be outside.
SPREAD = 6 * math.sqrt(ASKED * PERCENT / 100 * (1 - PERCENT / 100))


@pytest.fixture
def caller(berth, customer):
    return Caller(berth, customer).join()


@pytest.fixture
def two_versions(berth, caller):
    """Versions 1 and 2 of a model, both served: 1 by default, 2 as a canary; labels for each."""
    folder, name = f"{caller.customer}/own", f"{caller.customer}.own"
    berth.fleet.upload(e2e.HALF_PLUS_TWO, f"{folder}/1")
    berth.serves(name, 1, e2e.TWO)
    wish(berth, folder, "pin: 1\n")
    berth.fleet.upload(e2e.HALF_PLUS_THREE, f"{folder}/2")
    berth.verdict(f"{folder}/2", "ADMITTED")
    canary = f"canary: {{version: 2, percent: {PERCENT}}}\n"
    wish(berth, folder, f"pin: 1\n{canary}labels: {{stable: 1, next: 2}}\n")
    for label in ("stable", "next"):
        path = f"{name}/labels/{label}"
        until(f"{label} is served", lambda path=path: caller.get(path).ok, seconds=120)
    return name


def wish(berth, folder, text):
    """Write a serving.yaml and wait until it was taken up."""
    name = f"{folder}/serving.yaml"
    before = berth.fleet.verdict(name)
    berth.fleet.write(name, text)
    until(f"{name} is answered", lambda: berth.fleet.verdict(name) not in (None, before))
    assert berth.fleet.verdict(name)["state"] == "ADMITTED", berth.fleet.verdict(name)


@contextmanager
def load(caller, path, *answers, rate=50.0):
    """Not one request through the door may fail, before, during and after the block."""
    with DoorLoad(caller, path, answers, rate=rate) as running:
        until("the load runs", lambda: running.sent > rate)
        yield running
        sent = running.sent
        until("the load ran on", lambda: running.sent > sent + rate)
    assert running.failures[:5] == []
    assert running.per_second >= 0.8 * rate


def test_a_model_is_asked_through_the_door_as_tensorflow_serving_is(berth, caller):
    name = f"{caller.customer}.own"
    berth.fleet.upload(e2e.HALF_PLUS_TWO, f"{caller.customer}/own/1")
    berth.serves(name, 1, e2e.TWO)
    until("the door knows it", lambda: caller.get(name).ok)
    assert caller.predict(name) == e2e.TWO
    assert caller.predict(f"{name}/versions/1") == e2e.TWO
    assert caller.call(name) == (e2e.TWO, 1)
    rows = caller.get(name).json()["model_version_status"]
    assert [(row["version"], row["state"]) for row in rows] == [("1", "AVAILABLE")]
    assert caller.get(f"{name}/metadata").json()["model_spec"]["version"] == "1"


def test_a_canary_takes_its_percentage_and_labels_their_versions(caller, two_versions):
    assert caller.predict(f"{two_versions}/labels/stable") == e2e.TWO
    assert caller.predict(f"{two_versions}/labels/next") == e2e.THREE
    assert caller.predict(f"{two_versions}/versions/2") == e2e.THREE
    assert caller.call(two_versions, label="next") == (e2e.THREE, 2)
    with ThreadPoolExecutor(4) as pool:
        found = Counter(pool.map(lambda _: caller.predict(two_versions), range(ASKED)))
    assert found[e2e.TWO] + found[e2e.THREE] == ASKED
    assert abs(found[e2e.THREE] - ASKED * PERCENT / 100) < SPREAD


def test_a_key_opens_its_own_customers_models_alone(berth, caller, stranger):
    other = Caller(berth, berth.join(stranger)).join()
    own = f"{caller.customer}.starter"
    assert caller.post(f"{own}:predict").status_code == 200
    assert other.post(f"{own}:predict").status_code == 403
    assert caller.post(f"{own}:predict", headers={}).status_code == 401
    forged = {"authorization": f"Bearer berth_{caller.customer}_{'x' * 43}"}
    assert caller.post(f"{own}:predict", headers=forged).status_code == 401
    with pytest.raises(grpc.RpcError) as caught:
        other.call(own)
    assert caught.value.code() == grpc.StatusCode.PERMISSION_DENIED


def test_a_key_that_is_taken_back_opens_nothing_any_more(berth, caller):
    berth.customer_event("customer.keys_changed", caller.customer, keys=[])
    until("the key is not known", lambda: caller.starter().status_code == 401)


def test_an_unknown_model_is_not_found_and_one_that_comes_is_to_be_asked_again(berth, caller):
    name, seen = f"{caller.customer}.own", []
    assert "no model" in caller.post(f"{name}:predict").json()["error"]
    berth.fleet.upload(e2e.HALF_PLUS_TWO, f"{caller.customer}/own/1")

    def served():
        answer = caller.post(f"{name}:predict")
        seen.append(answer)
        return answer.status_code == 200

    until("it serves", served, seconds=120)
    codes = [one.status_code for one in seen]
    assert codes == sorted(codes, key=[404, 503, 200].index)  # never back
    for waiting in (one for one in seen if one.status_code == 503):
        assert waiting.headers["retry-after"] == "5"
        assert "pending" in waiting.json()["error"]


def test_versions_change_and_servers_restart_without_a_failed_request(berth, caller):
    name, folder = f"{caller.customer}.own", f"{caller.customer}/own"
    berth.fleet.upload(e2e.HALF_PLUS_TWO, f"{folder}/1")
    berth.serves(name, 1, e2e.TWO)
    until("the door knows it", lambda: caller.get(name).ok)
    with load(caller, name, e2e.TWO, e2e.THREE):
        berth.fleet.upload(e2e.HALF_PLUS_THREE, f"{folder}/2")
        berth.serves(name, 2, e2e.THREE)
        until("the door follows", lambda: caller.predict(name) == e2e.THREE)
        restart(berth, berth.fleet.model(name)["shard"])


def restart(berth, shard):
    """Let servers grow old at once, and wait until every replica of the shard was replaced."""
    before = {one.uid for one in berth.fleet.replicas.ready(shard)}
    blob = berth.fleet.control.blob("fleet/policy.json")
    blob.upload_from_string(json.dumps({"max_age_seconds": 60, "wave": 1}))
    try:

        def rolled():
            now = {one.uid for one in berth.fleet.replicas.ready(shard)}
            if len(now) >= len(before) and not now & before:
                return True
            berth.fleet.tick()
            berth.fleet.replicas.wait_for_change(2.0)
            return False

        until("every replica was replaced", rolled, seconds=200)
    finally:
        blob.delete()
