"""Servers are replaced, by order or by death, under load and without one failed prediction."""

import pytest

from tests.support import e2e
from tests.support.e2e import until


@pytest.fixture
def everywhere(berth, stranger):
    """A served model on each shard: {shard: servable}."""
    shards = sorted(berth.fleet.ask("/fleet")["shards"])
    found = {}
    for number in range(40):
        if len(found) == len(shards):
            break
        name = berth.join(f"{stranger}-{number}")
        home = berth.account(name)["home_shard"]
        if home not in found:
            found[home] = f"{name}.own"
            berth.fleet.upload(e2e.HALF_PLUS_TWO, f"{name}/own/1")
    for servable in found.values():
        berth.serves(servable, 1, e2e.TWO)
    return {berth.fleet.model(servable)["shard"]: servable for servable in found.values()}


def test_servers_past_their_age_are_replaced_in_waves_under_load(berth, policy, everywhere):
    fleet = berth.fleet
    before = {replica.uid for replica in fleet.replicas.ready()}
    orders = {shard: fleet.ask(f"/shards/{shard}")["restart_at"] for shard in everywhere}

    def rolled():
        ready = fleet.replicas.ready()
        ordered = [s for s in orders if fleet.ask(f"/shards/{s}")["restart_at"] != orders[s]]
        busy = [s for s in ordered if any(r.shard == s and r.uid in before for r in ready)]
        assert len(busy) <= 1, "two shards restart at a time"
        if not before & {r.uid for r in ready}:
            return True
        fleet.tick()
        fleet.replicas.wait_for_change(2.0)
        return False

    first, *others = everywhere.values()
    with berth.load(first, (e2e.TWO,)):
        policy(max_age_seconds=60, wave=1)
        until("every replica was replaced", rolled, seconds=200)
    for servable in (first, *others):
        berth.serves(servable, 1, e2e.TWO)


def test_a_killed_pods_successor_serves_from_its_first_ready_second(berth, everywhere):
    fleet, servable = berth.fleet, next(iter(everywhere.values()))
    shard = fleet.model(servable)["shard"]
    known = {replica.uid for replica in fleet.replicas.ready(shard)}
    announced = {
        model: max(record["announced"])
        for model, record in fleet.ask(f"/shards/{shard}")["models"].items()
        if record["announced"]
    }
    assert servable in announced
    fleet.replicas.kill(fleet.replicas.ready(shard)[0])
    fresh: list = []

    def replaced():
        fresh[:] = [r for r in fleet.replicas.ready(shard) if r.uid not in known]
        return fresh

    until("a successor is ready", replaced)
    assert [m for m, v in announced.items() if not fleet.available(fresh[0], m, v)] == []
