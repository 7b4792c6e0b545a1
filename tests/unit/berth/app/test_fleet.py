"""Ticks, leases and idleness: repaired is what was lost, written is nothing where nothing happens."""

from datetime import timedelta

import pytest
import structlog

from berth.app import leasing, rooms
from berth.domain import documents
from berth.domain.errors import Conflict, Damaged, NotFound, Retryable, Unavailable
from berth.domain.lease import Lease
from berth.domain.requests import FleetTick, ShardRequest
from tests.unit.berth.app import worlds

LEASE = documents.lease_name("shard-0")
PROJECTION = documents.projection_name("shard-0", "acme.digits")


def test_an_idle_tick_and_an_idle_pass_write_nothing():
    world = worlds.serving()
    before = world.mutations
    world.fleet_tick(sweep=True)
    world.fleet_tick()
    assert world.mutations == before
    assert {o.word for t, o in world.outcomes[-3:]} == {"converged"}


@pytest.mark.parametrize("number", [1, 3])
def test_a_tick_makes_the_first_shards_and_nothing_twice(number):
    world = worlds.fresh(shards=number)
    names = [f"shard-{n}" for n in range(number)]
    assert list(world.status.fleet()["shards"]) == names
    assert all(len(world.workloads.pods(name)) == 2 for name in names)


def test_a_lost_projection_is_repaired():
    world = worlds.serving()
    world.control.delete(PROJECTION)
    world.fleet_tick()
    assert world.outcomes[-2][1].actions == ("repair 1 projections",)
    assert world.control.stat(PROJECTION) is not None
    world.settle()
    assert world.loaded("shard-0", "acme.digits") == {1}


def test_a_model_without_a_projection_goes_on_serving_and_is_reported():
    world = worlds.serving()
    world.control.delete(PROJECTION)
    world.send("shards", b'{"shard": "shard-0"}')
    world.run()
    assert world.loaded("shard-0", "acme.digits") == {1}
    assert "carried forward" in world.shard_status().models["acme.digits"].reason
    assert world.said("model.retired") == []


def test_a_stale_projection_is_repaired():
    world = worlds.serving()
    stale = world.control.stat(PROJECTION).metadata | {"document": "1"}
    world.control.put(PROJECTION, b"", if_generation=None, metadata=stale)
    world.fleet_tick()
    assert int(world.control.stat(PROJECTION).metadata["document"]) > 1


def test_a_projection_that_does_not_parse_is_never_read_as_absent():
    world = worlds.serving()
    world.control.put(PROJECTION, b"x", if_generation=None, metadata={"projection": "?"})
    with pytest.raises(Damaged):
        world.reconcile_shard.handle(ShardRequest("shard-0", "m"))
    assert world.loaded("shard-0", "acme.digits") == {1}


@pytest.mark.parametrize("metadata", [{}, {"projection": "?", "shard": "shard-0"}])
def test_a_damaged_model_document_keeps_nobody_else_from_being_looked_after(metadata):
    world = worlds.serving()
    world.sign_up("globex")
    world.settle()
    world.control.put("models/acme.digits.json", b"x", if_generation=None, metadata=metadata)
    starter = documents.projection_name("shard-0", "globex.starter")
    world.control.delete(starter)
    world.upload("globex/late/1")
    world.queue.clear()  # its events are lost: the sweep finds it
    with structlog.testing.capture_logs() as lines:
        world.fleet_tick(sweep=True)
    damaged = [line.get("model") for line in lines if line["event"] == "damaged document"]
    assert "models/acme.digits.json" in damaged
    world.settle()
    assert world.control.stat(starter) is not None
    assert world.loaded("shard-0", "globex.late") == {1}
    assert world.loaded("shard-0", "acme.digits") == {1}


def test_an_unknown_shard_is_refused():
    world = worlds.fresh()
    with pytest.raises(NotFound, match="there is no shard"):
        world.reconcile_shard.handle(ShardRequest("shard-9", "m"))


def test_a_shard_without_a_shape_is_an_error_never_a_removal():
    world = worlds.serving()
    world.control.delete(documents.shard_name("shard-0"))
    with pytest.raises(Damaged, match="never removal"):
        rooms.shards(world.control)
    assert world.loaded("shard-0", "acme.digits") == {1}


@pytest.mark.parametrize("kind", ["observe", "list", "get", "statuses"])
def test_a_failed_look_changes_nothing(kind):
    world = worlds.serving()
    before = world.mutations

    def check(called, name):
        if called == kind:
            raise Unavailable("induced")

    world.fail(check)
    request = ShardRequest("shard-0", "m")
    if kind == "statuses":  # silence of a replica is seen, and nothing is concluded
        assert world.reconcile_shard.handle(request).actions == ("WriteStatus",)
    else:
        with pytest.raises(Unavailable):
            world.reconcile_shard.handle(request)
        assert world.mutations == before
    world.revive()
    assert world.loaded("shard-0", "acme.digits") == {1}


def hold(world, *, holder="somebody", seconds=40):
    held = leasing.take(world.control, world.clock, LEASE, holder=holder, seconds=seconds)
    assert held is not None
    return held


def test_a_thousand_requests_while_it_is_held_cost_a_read_each_and_one_write_in_all():
    world = worlds.serving()
    hold(world)
    reads, writes = world.control.reads, world.control.mutations
    for n in range(1000):
        assert world.reconcile_shard.handle(ShardRequest("shard-0", f"m{n}")).word == "deferred"
    assert world.control.reads - reads == 1000
    assert world.control.mutations - writes == 1


def test_the_message_it_is_held_for_is_raised_until_the_lease_is_over():
    world = worlds.serving()
    world.upload("acme/digits/2")
    world.run()
    hold(world, holder="m1")
    with pytest.raises(Unavailable, match="this very message"):
        world.reconcile_shard.handle(ShardRequest("shard-0", "m1"))
    world.clock.advance(40)
    assert world.reconcile_shard.handle(ShardRequest("shard-0", "m1")).word != "deferred"


def test_the_holder_looks_again_when_somebody_asked():
    world = worlds.serving()
    held = hold(world)
    assert leasing.ask(world.control, world.clock, LEASE, holder="other") == "want"
    assert not held.leave()
    held.take_up()
    assert not world.read(LEASE, Lease).wanted, (
        "taken up before the look, so that the next wish is seen"
    )
    assert held.leave()
    assert world.read(LEASE, Lease).free(world.clock.now())


def test_a_stalled_holder_must_not_act():
    world = worlds.serving()
    held = hold(world)
    world.clock.advance(38)
    with pytest.raises(Unavailable, match="about to expire"):
        held.check()
    world.clock.advance(2)
    hold(world, holder="the next")
    with pytest.raises(Conflict, match="taken over"):
        held.take_up()
    assert not held.leave()
    assert world.read(LEASE, Lease).holder == "the next"


@pytest.mark.parametrize("error", [Conflict, Unavailable])
def test_a_pass_that_failed_leaves_its_lease(error):
    world = worlds.serving()
    world.upload("acme/digits/2")
    while not any(d.topic == "shards" for d in world.queue):
        world.deliver(world.queue.popleft())
        world._collect()
    world.queue.clear()

    def check(kind, name):
        if name == documents.live_name("shard-0") and kind == "put":
            raise error("induced")

    world.fail(check)
    with pytest.raises(Retryable):
        world.reconcile_shard.handle(ShardRequest("shard-0", "m"))
    world.revive()
    assert world.read(LEASE, Lease).free(world.clock.now())


def test_a_tick_that_failed_leaves_its_lease():
    world = worlds.serving()
    world.control.delete(PROJECTION)

    def check(kind, name):
        if name == PROJECTION and kind == "put":
            raise Unavailable("induced")

    world.fail(check)
    with pytest.raises(Unavailable):
        world.reconcile_fleet.handle(FleetTick("m"))
    world.revive()
    assert world.read(documents.FLEET_LEASE, Lease).free(world.clock.now())


def test_a_hold_that_ended_is_not_mistaken_for_the_next_one_of_the_same_message():
    world = worlds.serving()
    stalled = hold(world, holder="m1")
    world.clock.advance(41)
    hold(world, holder="m1")
    with pytest.raises(Conflict, match="taken over"):
        stalled.take_up()
    stalled.drop()
    assert not world.read(LEASE, Lease).free(world.clock.now())


def test_a_killed_pod_comes_back_with_every_announced_model():
    world = worlds.serving()
    victim = world.workloads.pods("shard-0")[0]
    world.workloads.kill(victim.name)
    world.tick(4)
    new = world.workloads.pods("shard-0")[-1]
    assert new.ready
    statuses = world.servers.statuses(new.address, ["acme.digits", "acme.starter"], timeout=1)
    assert {n: s[1].state for n, s in statuses.items()} == dict.fromkeys(statuses, "AVAILABLE")
    world.settle()
    assert victim.name not in {r.name for r in world.shard_status().replicas}


def test_restarts_fall_due_and_roll_wave_by_wave():
    world = worlds.fresh(shards=2)
    world.sign_up()
    world.settle()
    born = {p.uid for n in (0, 1) for p in world.workloads.pods(f"shard-{n}")}
    world.clock.advance(timedelta(days=1, hours=1).total_seconds())
    for _ in range(40):
        world.fleet_tick()
        shards = [world.workloads.pods(f"shard-{n}") for n in (0, 1)]
        assert all(sum(p.serving for p in pods) >= 2 for pods in shards)
        assert sum(len(pods) > 2 for pods in shards) <= 1, "one wave at a time"
        world.tick()
        world.clock.advance(1)
    now = {p.uid for n in (0, 1) for p in world.workloads.pods(f"shard-{n}")}
    assert not born & now
    assert world.loaded("shard-0", "acme.starter") == {1}


def test_goodbye_retires_everything():
    world = worlds.serving()
    world.customer("closed", "acme", at=1)
    world.settle()
    assert world.loaded("shard-0", "acme.digits") == set()
    assert world.boot("shard-0") == "model_config_list {\n}\n"
    assert set(world.said("model.retired")) == {
        ("model.retired", "acme.digits", 1),
        ("model.retired", "acme.starter", 1),
    }
    assert world.status.model("acme.digits")["state"] == "RETIRED"
    world.sign_up(at=2)
    world.settle()
    assert world.loaded("shard-0", "acme.digits") == {1}


def test_a_deleted_model_and_a_deleted_version():
    world = worlds.serving()
    world.upload("acme/digits/2")
    world.settle()
    world.customer("deleted", "acme", at=1, model="digits", version=2)
    world.settle()
    assert world.loaded("shard-0", "acme.digits") == {1}
    world.customer("deleted", "acme", at=2, model="digits")
    world.settle()
    assert world.loaded("shard-0", "acme.digits") == set()
    assert world.loaded("shard-0", "acme.starter") == {1}


def test_a_model_that_does_not_fit_waits_and_what_serves_stays():
    world = worlds.signed_up(max_models=2)
    world.upload("acme/digits/1")
    world.settle()
    world.upload("acme/more/1")
    world.settle()
    state = world.status.model("acme.more")
    assert state["state"] == "PENDING"
    assert "shard full" in state["reason"]
    assert world.loaded("shard-0", "acme.digits") == {1}
    world.customer("deleted", "acme", at=1, model="digits")
    world.settle()
    assert world.loaded("shard-0", "acme.more") == {1}
