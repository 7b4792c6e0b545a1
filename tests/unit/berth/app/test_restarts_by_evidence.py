"""Restarts by evidence over a whole world: the accused shard, once, and nobody else."""

from berth.domain.documents import Shard
from berth.domain.observation import VersionStatus
from tests.unit.berth.app import worlds

DIGITS = "/models/acme/digits"
GIB = 1024**3


def two_shards():
    world = worlds.signed_up(shards=2)
    world.upload("acme/digits/1")
    return world.settle()


def bloat(world, shard, used=GIB * 3 // 2):
    for pod in world.workloads.pods(shard):
        world.workloads.figures.hold(pod.key, used)


def minutes(world, number):
    """Ticks a minute apart, in which the world moves."""
    for _ in range(number):
        world.fleet_tick()
        world.tick(5)
        world.clock.advance(60)


def runs(world, shard):
    return {pod.key for pod in world.workloads.pods(shard)}


def shape(world, shard):
    return world.read(f"shards/{shard}/shard.json", Shard)


def evidence(world, shard):
    return {r.evidence.split(":")[0] for r in world.shard_status(shard).replicas if r.evidence}


def reasons(world):
    return {o.reason for topic, o in world.outcomes if topic == "ticks"}


def test_a_bloated_shard_is_restarted_once_and_no_other():
    world = two_shards()
    before, others = runs(world, "shard-0"), runs(world, "shard-1")
    bloat(world, "shard-0")
    minutes(world, 12)
    assert before.isdisjoint(runs(world, "shard-0"))
    assert runs(world, "shard-1") == others
    assert list(shape(world, "shard-0").restarted_for.values()) == ["memory"]
    assert shape(world, "shard-1").restarted_for == {}
    assert evidence(world, "shard-0") == set()
    assert world.loaded("shard-0", "acme.digits") == {1}


def test_a_spike_is_no_evidence():
    world = worlds.serving()
    before = runs(world, "shard-0")
    minutes(world, 2)
    bloat(world, "shard-0")
    world.fleet_tick()
    bloat(world, "shard-0", used=0)
    minutes(world, 4)
    assert runs(world, "shard-0") == before
    assert evidence(world, "shard-0") == set()


def test_idle_minutes_with_evidence_that_is_held_write_nothing():
    world = worlds.serving()
    world.policy(evidence_per_day=0)
    bloat(world, "shard-0")
    minutes(world, 4)
    assert evidence(world, "shard-0") == {"memory"}
    before = world.mutations
    bloat(world, "shard-0", used=GIB * 7 // 4)
    minutes(world, 3)
    assert world.mutations == before
    assert "evidence against shard-0: its budget is used up" in reasons(world)


def test_figures_that_are_not_served_are_no_zero_and_stop_nothing():
    world = worlds.serving()
    bloat(world, "shard-0")
    world.workloads.figures.served = False
    before = runs(world, "shard-0")
    world.upload("acme/digits/2")
    minutes(world, 6)
    assert world.loaded("shard-0", "acme.digits") == {2}
    assert runs(world, "shard-0") == before
    world.workloads.figures.served = True
    bloat(world, "shard-0")
    minutes(world, 8)
    assert before.isdisjoint(runs(world, "shard-0"))


def test_an_open_rollout_delays_the_restart():
    world = worlds.serving()
    before = runs(world, "shard-0")
    world.policy(evidence_per_day=0)
    bloat(world, "shard-0")
    minutes(world, 4)
    assert evidence(world, "shard-0") == {"memory"}
    world.servers.load_ticks = 100_000
    for server in world.servers._servers.values():
        server.load_ticks = 100_000
    world.upload("acme/digits/2")
    world.run()
    world.policy()
    minutes(world, 5)
    assert world.status.fleet()["rollouts"]
    assert runs(world, "shard-0") == before


def test_evidence_again_and_again_keeps_to_the_rest_between_two():
    world = worlds.serving()
    for _ in range(45):
        bloat(world, "shard-0")
        minutes(world, 1)
    assert len(shape(world, "shard-0").restarted_for) == 1
    for _ in range(30):
        bloat(world, "shard-0")
        minutes(world, 1)
    assert len(shape(world, "shard-0").restarted_for) == 2


def test_a_restart_that_does_not_come_back_stops_the_wave_and_is_reported():
    world = two_shards()
    others = runs(world, "shard-1")
    world.policy(patience_seconds=300)
    bloat(world, "shard-0")
    while not shape(world, "shard-0").restarted_for:
        world.fleet_tick()
        world.clock.advance(60)
    world.tick()
    fresh = max(world.workloads.pods("shard-0"), key=lambda pod: pod.name)
    world.workloads.set_ready(fresh.name, False)
    bloat(world, "shard-1")
    minutes(world, 12)
    row = world.status.fleet()["shards"]["shard-0"]
    assert row["restart"] == "late"
    metrics = world.status.ask("/metrics").body
    assert 'berth_restart_late{shard="shard-0"} 1.0' in metrics
    assert 'berth_restart_late{shard="shard-1"} 0.0' in metrics
    assert 'berth_evidence{shard="shard-1"} 2.0' in metrics
    assert any("did not come back in time" in reason for reason in reasons(world))
    assert runs(world, "shard-1") == others
    assert world.loaded("shard-0", "acme.digits") == {1}
    world.workloads.set_ready(fresh.name, None)
    minutes(world, 12)
    assert world.status.fleet()["shards"]["shard-0"]["restart"] == ""
    assert others.isdisjoint(runs(world, "shard-1"))


def test_a_replica_that_alone_cannot_load_a_version_is_restarted_once():
    world = worlds.serving()
    broken = world.workloads.pods("shard-0")[0]
    world.servers.break_on(broken.address, DIGITS, 2, "Input/output error")
    world.upload("acme/digits/2")
    world.run()
    minutes(world, 25)
    assert broken.key not in runs(world, "shard-0")
    assert list(shape(world, "shard-0").restarted_for.values()) == ["stuck"]
    assert world.loaded("shard-0", "acme.digits") == {2}
    assert world.shard_status().models["acme.digits"].announced == (2,)


class OddNodes(dict):
    """Every second replica cannot load version 2, whatever process runs there."""

    def get(self, key, default=None):
        address, _, version = key
        odd = version == 2 and int(address.rsplit(".", 1)[1]) % 2
        return VersionStatus("END", 13, "Input/output error") if odd else default


def test_the_fresh_round_comes_once():
    world = worlds.serving()
    world.policy(evidence_rest_seconds=1)
    world.servers.broken_on = OddNodes()
    world.upload("acme/digits/2")
    minutes(world, 60)
    assert list(shape(world, "shard-0").restarted_for.values()) == ["stuck"]
    held = world.shard_status().models["acme.digits"].quarantined[2]
    assert (held.active, held.attempts, held.retried) == (True, 3, True)
    assert world.loaded("shard-0", "acme.digits") == {1}
