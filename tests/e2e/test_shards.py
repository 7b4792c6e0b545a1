"""A shard is made, serves, and is given back, on the real stack, under load and without one failure."""

import json
from dataclasses import dataclass

from tests.support import e2e
from tests.support.e2e import until


@dataclass(frozen=True)
class Router:
    """The one door in front of all shards."""

    url: str
    name: str = "router"


def read(berth, name):
    blob = berth.fleet.control.get_blob(name)
    return json.loads(blob.download_as_bytes()) if blob else None


def ticking(berth, what, condition, seconds=150):
    """Wait for it, with a tick every two seconds."""

    def there():
        berth.fleet.tick()
        return condition()

    until(what, there, seconds=seconds, every=2.0)


def drain(berth, shard):
    blob = berth.fleet.control.blob(f"shards/{shard}/shard.json")
    shape = json.loads(blob.download_as_bytes()) | {"state": "draining"}
    blob.upload_from_string(json.dumps(shape))


def test_a_shard_is_made_and_given_back_under_load(berth, policy, customer):
    fleet, servable = berth.fleet, f"{customer}.own"
    fleet.upload(e2e.HALF_PLUS_TWO, f"{customer}/own/1")
    berth.serves(servable, 1, e2e.TWO)
    before = set(fleet.ask("/fleet")["shards"])
    policy(common={"min_shards": len(before) + 1})
    fleet.tick()
    until("it is made", lambda: set(fleet.ask("/fleet")["shards"]) - before)
    (made,) = set(fleet.ask("/fleet")["shards"]) - before
    ticking(berth, f"{made} is ready", lambda: len(fleet.replicas.ready(made)) >= 2)
    router = Router(berth.stack.environment["BERTH_ROUTER_URL"])
    bearer = berth.key(customer)

    def answers():
        asked = f"{router.url}/v1/models/{servable}:predict"
        return fleet.http.post(asked, json=e2e.QUESTION, headers=bearer, timeout=30).ok

    until("the router knows the key", answers)
    document, folder = f"models/{servable}.json", f"shards/{made}/"
    with berth.load(servable, (e2e.TWO,), rate=20.0, targets=lambda: (router,), headers=bearer):
        policy(common={"min_shards": len(before) + 1}, moves={"wanted": {servable: made}})
        ticking(berth, "it moved there", lambda: read(berth, document)["shard"] == made)
        policy()
        drain(berth, made)
        shape = f"{folder}shard.json"
        ticking(berth, f"{made} is removed", lambda: read(berth, shape)["state"] == "removed")

        def gone():
            left = [blob.name for blob in fleet.storage.list_blobs(fleet.control, prefix=folder)]
            return left == [shape] and not fleet.replicas.ready(made)

        ticking(berth, f"nothing of {made} is left", gone)
    assert read(berth, document)["shard"] in before
    assert set(fleet.ask("/fleet")["shards"]) == before
    assert read(berth, f"routes/{made}.json") is None
    berth.serves(servable, 1, e2e.TWO)
