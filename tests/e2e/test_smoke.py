"""The smoke test's customer, sent through the local stack: what `make smoke` does on a deployment."""

import pytest

from infra.local import setup
from infra.smoke.check import Disproved
from infra.smoke.journey import Door, Journey
from tests.support import hostile


@pytest.fixture
def door(berth):
    def status(path):
        answer = berth.fleet.http.get(
            berth.fleet.environment["BERTH_STATUS_URL"] + path, timeout=30
        )
        return answer.status_code, answer.json()

    def predict(shard, path, body):
        url = berth.fleet.replicas.ready(shard)[0].url + path
        answer = berth.fleet.http.post(url, json=body, timeout=30)
        return answer.status_code, answer.json()

    def tell(event):
        berth.publish("customer-events", event)

    return Door(berth.fleet.uploads, tell, status, predict)


def test_a_customer_comes_is_served_and_goes_and_leaves_nothing_in_the_inbox(berth, door):
    told = Journey(door, "smoke-served", setup.starter(print), seconds=60).run()
    stages = [one.rsplit(" ", 2)[0] for one in told.split(", ")]
    assert stages == ["starter", "served", "answered", "removed"]
    left = berth.fleet.storage.list_blobs(berth.fleet.uploads, prefix="smoke-served/")
    assert not [one.name for one in left if not one.name.endswith(".status.json")]


def test_a_good_model_is_admitted(door):
    told = Journey(door, "smoke-judged", setup.starter(print), seconds=60).judged()
    assert told.startswith("admitted after ")


def test_a_model_that_is_refused_disproves_it_and_the_inbox_is_cleaned_all_the_same(
    berth, door, tmp_path
):
    folder = hostile.write(hostile.endless_load, tmp_path / "endless")
    (folder / "saved_model.pb").write_bytes(b"no model")
    journey = Journey(door, "smoke-refused", folder, seconds=60)
    with pytest.raises(Disproved, match="refused a good model"):
        journey.judged()
    names = [one.name for one in berth.fleet.storage.list_blobs(berth.fleet.uploads)]
    assert "smoke-refused/line/1/saved_model.pb" not in names
