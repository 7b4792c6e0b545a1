"""A model moves: served at every moment, told once, and well ended whatever happens meanwhile."""

import pytest

from berth.domain import documents
from berth.domain.observation import VersionStatus
from berth.domain.outcome import Outcome
from berth.domain.routing import ShardRoutes
from tests.support import moving_worlds
from tests.support.e2e import validate
from tests.support.moving_worlds import events, minute, serves, settled, want
from tests.support.world import MIB

PLACE = "/models/acme/digits"


@pytest.fixture
def world():
    return moving_worlds.serving()


class Asleep:
    """No pass of one shard does anything."""

    def __init__(self, passes, shard):
        self.passes, self.shard = passes, shard

    def handle(self, request):
        if request.shard == self.shard:
            return Outcome("converged")
        return self.passes.handle(request)


def told(world):
    return [event for event in events(world, "serving") if event[0] == "acme.digits"]


def test_a_model_serves_at_its_target_before_it_leaves(world):
    want(world, "shard-1")
    model = world.model("acme.digits")
    assert (model.shard, model.target) == ("shard-0", "shard-1")
    assert model.move.reason == "an operator wants it there"
    said = world.status.model("acme.digits")
    validate("status-model", said)
    assert (said["shard"], said["target"], said["move"]["outcome"]) == ("shard-0", "shard-1", "")
    assert model.move.bytes == 10 * MIB
    assert serves(world, 1) == ["shard-0", "shard-1"]
    minute(world)
    model = world.model("acme.digits")
    assert (model.shard, model.target, model.move.outcome) == ("shard-1", None, "moved")
    assert model.placed.shard == "shard-1"
    validate("status-model", world.status.model("acme.digits"))
    assert world.status.model("acme.digits")["move"]["outcome"] == "moved"
    minute(world, 2)
    assert serves(world, 1) == ["shard-1"]
    assert world.control.stat(documents.projection_name("shard-0", "acme.digits")) is None
    assert "acme.digits" not in world.shard_status("shard-0").models
    settled(world, 1)


def test_at_every_call_it_is_served_somewhere(world):
    def look(kind, name):
        pods = [
            [pod for pod in world.workloads._pods_of(shard) if pod.serving]
            for shard in ("shard-0", "shard-1")
        ]
        has = [
            all(
                world.servers._servers[pod.address].statuses("acme.digits").get(1)
                == VersionStatus("AVAILABLE")
                for pod in ready
            )
            for ready in pods
        ]
        assert any(has), f"before {kind} {name}"
        routed = [routes(shard).get("acme.digits") for shard in ("shard-0", "shard-1")]
        followed = [n for n, route in enumerate(routed) if route and route.versions == (1,)]
        assert followed, f"before {kind} {name}"
        assert all(has[n] for n in followed), f"before {kind} {name}"

    def routes(shard):
        return world.read(documents.routes_name(shard), ShardRoutes).models

    world.fail(look)
    parse, passes = world.functions["shards"]
    world.functions["shards"] = (parse, Asleep(passes, "shard-1"))
    want(world, "shard-1")
    minute(world, 2)
    world.functions["shards"] = (parse, passes)
    minute(world, 5)
    assert serves(world, 1) == ["shard-1"]


def test_what_is_told_is_told_where_it_is_at_home(world):
    want(world, "shard-1")
    assert told(world) == [("acme.digits", 1, "shard-0")]
    minute(world, 4)
    assert told(world) == [("acme.digits", 1, "shard-0"), ("acme.digits", 1, "shard-1")]
    assert events(world, "retired") == []
    assert world.shard_status("shard-1").models["acme.digits"].elsewhere is False


def test_a_version_admitted_meanwhile_is_in_both(world):
    want(world, "shard-1")
    world.upload("acme/digits/2")
    world.run()
    assert serves(world, 2) == ["shard-0", "shard-1"]
    minute(world, 3)
    assert world.model("acme.digits").shard == "shard-1"
    settled(world)
    assert serves(world, 2) == ["shard-1"]


def test_one_admitted_between_the_look_and_the_write_is_looked_at_first(world):
    want(world, "shard-1")
    name = "models/acme.digits.json"
    wrote = []

    def sneak(kind, called):
        if kind == "put" and called == name and not wrote:
            wrote.append(world.model("acme.digits"))
            stored = world.buckets.objects["control"][name]
            world.buckets.store("control").put(
                name, stored.data, if_generation=None, metadata=stored.stat.metadata
            )

    world.fail(sneak)
    minute(world)
    world.revive()
    assert wrote
    assert world.model("acme.digits").target == "shard-1"
    minute(world, 2)
    assert world.model("acme.digits").shard == "shard-1"


@pytest.mark.parametrize("when", [0, 1, 2, 3])
@pytest.mark.parametrize("what", ["deleted", "closed"])
def test_a_model_that_goes_meanwhile_goes_everywhere(world, when, what):
    want(world, "shard-1")
    minute(world, when)
    more = {"model": "digits"} if what == "deleted" else {}
    world.customer(what, "acme", at=1, **more)
    world.run()
    settled(world)
    assert serves(world, 1) == []
    assert world.model("acme.digits").target is None
    retired = [e for e in events(world, "retired") if e[0] == "acme.digits"]
    assert len(retired) == 1


def test_a_model_deleted_just_before_its_move_ends_is_told_retired(world):
    want(world, "shard-1")
    world.customer("deleted", "acme", at=1, model="digits")
    world.deliver(world.queue.popleft())
    world._collect()
    requests = list(world.queue)
    world.queue.clear()  # the tick is faster than what asks the shards
    world.send("ticks", b'{"sweep": false}')
    world.deliver(world.queue.popleft())
    assert world.model("acme.digits").shard == "shard-1"
    world.queue.extend(requests)
    settled(world)
    assert ("acme.digits", 1) in [event[:2] for event in events(world, "retired")]


def test_a_model_deleted_before_its_new_home_has_passed_is_told_retired(world):
    want(world, "shard-1")
    parse, passes = world.functions["shards"]
    world.functions["shards"] = (parse, Asleep(passes, "shard-1"))
    minute(world)
    assert world.model("acme.digits").shard == "shard-1"
    world.customer("deleted", "acme", at=1, model="digits")
    minute(world)
    world.functions["shards"] = (parse, passes)
    settled(world)
    assert ("acme.digits", 1) in [event[:2] for event in events(world, "retired")]


def test_a_target_that_does_not_come_is_given_up_and_left_alone(world):
    world.policy(moves={"patience_seconds": 120, "wanted": {"acme.digits": "shard-1"}})
    parse, passes = world.functions["shards"]
    world.functions["shards"] = (parse, Asleep(passes, "shard-1"))
    world.fleet_tick()
    assert world.model("acme.digits").target == "shard-1"
    minute(world, 3)
    model = world.model("acme.digits")
    assert (model.shard, model.target, model.move.outcome) == ("shard-0", None, "abandoned")
    assert model.move.why.startswith("not served there within 121 s")
    assert serves(world, 1) == ["shard-0"]
    world.functions["shards"] = (parse, passes)
    settled(world)
    assert "was given up there" in world.outcomes[-3][1].reason
    assert world.control.stat(documents.projection_name("shard-1", "acme.digits")) is None
    world.clock.advance(3600)
    minute(world, 5)
    assert serves(world, 1) == ["shard-1"]


def test_a_version_that_does_not_load_at_the_target_is_given_up_at_once(world):
    world.mount.broken[PLACE, 1] = VersionStatus("END", 3, "it does not load here")
    want(world, "shard-1")
    minute(world)
    model = world.model("acme.digits")
    assert (model.shard, model.target) == ("shard-0", None)
    assert "quarantined there" in model.move.why
    settled(world)
    assert serves(world, 1) == ["shard-0"]
    assert events(world, "quarantined") == []
    assert events(world, "retired") == []
    assert world.model("acme.digits").move == model.move, "and not tried again there at once"


def test_a_killed_server_at_either_end_holds_nothing_up(world):
    want(world, "shard-1")
    for shard in ("shard-0", "shard-1"):
        world.workloads.kill(world.workloads.pods(shard)[0].name)
    minute(world, 4)
    assert serves(world, 1) == ["shard-1"]


def test_what_would_move_is_told_before_it_does(world):
    world.policy(moves={"wanted": {"acme.digits": "shard-1"}})
    before = world.mutations
    plan = world.reconcile_fleet.plan()
    assert world.mutations == before
    assert [(b.servable, b.target, b.bytes) for b in plan.moves.begin] == [
        ("acme.digits", "shard-1", 10 * MIB)
    ]
    assert plan.actions == (
        "move acme.digits from shard-0 to shard-1, 10485760 bytes: an operator wants it there",
    )
