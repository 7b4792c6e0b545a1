"""A customer leaves: the servers, the records and the buckets forget; nobody else notices."""

import json

import pytest

from tests.support import e2e
from tests.support.e2e import until


@pytest.fixture
def policy(berth):
    """Write the operator's policy; it is the default again afterwards."""
    blob = berth.fleet.control.blob("fleet/policy.json")
    yield lambda **fields: blob.upload_from_string(json.dumps(fields))
    blob.delete()


def names(berth, bucket, prefix):
    return [blob.name for blob in berth.fleet.storage.list_blobs(bucket, prefix=prefix)]


def swept(berth):
    """Have the fleet swept once, to its end."""
    return berth.handled("reconcile_fleet", berth.fleet.tick(sweep=True))


def test_a_closed_account_is_erased_and_others_are_served_meanwhile(berth, policy, stranger):
    """The models' shard is asked about, not the models: Berth forgets them."""
    fleet = berth.fleet
    stays, leaves = (berth.join(f"{stranger}-{word}") for word in ("stays", "leaves"))
    models = fleet.storage.bucket(berth.stack.environment["BERTH_MODELS_BUCKET"])
    for customer in (stays, leaves):
        fleet.upload(e2e.HALF_PLUS_TWO, f"{customer}/own/1")
    for customer in (stays, leaves):
        berth.serves(f"{customer}.own", 1, e2e.TWO)
    shard = fleet.model(f"{leaves}.own")["shard"]
    assert names(berth, models, f"{leaves}/own/1/")
    with berth.load(f"{stays}.own", (e2e.TWO,)):
        berth.customer_event("customer.closed", leaves)
        replicas = fleet.replicas.ready(shard)
        until(
            "its models leave the servers",
            lambda: (
                [berth.loaded(f"{leaves}.{m}", replicas) for m in ("own", "starter")]
                == [[set()] * len(replicas)] * 2
            ),
        )
        swept(berth)
        assert names(berth, models, f"{leaves}/own/1/"), "it can be restored for a week"
        policy(grace_seconds=1, garbage_seconds=1)

        def erased():
            swept(berth)
            left = names(berth, models, f"{leaves}/")
            projected = names(berth, fleet.control, f"shards/{shard}/models/{leaves}.")
            return not left and not projected

        until("everything is erased", erased, seconds=90)
    assert names(berth, fleet.control, f"garbage/{leaves}.") == []
    document = fleet.control.get_blob(f"models/{leaves}.own.json").download_as_bytes()
    assert json.loads(document)["versions"] == {}
    assert names(berth, models, "templates/")
    berth.serves(f"{stays}.own", 1, e2e.TWO)
    berth.join(leaves)
    berth.serves(f"{leaves}.starter", 1)
