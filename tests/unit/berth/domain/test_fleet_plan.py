"""The fleet's plan: empty on an idle fleet, whole in its words, and asking for no more than it needs."""

from datetime import UTC, datetime

import pytest

from berth.domain import fleet_plan
from berth.domain.documents import Policy, Projection, Shard
from berth.domain.fleet import FirstShards, ModelRow
from berth.domain.fleet_plan import FleetPlan, FleetView
from berth.domain.moves import Moves
from berth.domain.shard_status import ModelRecord, ShardStatus

FIRST = FirstShards(count=1, replicas_min=2, replicas_max=4, memory_bytes=2**31, max_models=200)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
SHARDS = {name: Shard(shard=name, memory_bytes=2**31) for name in ("shard-0", "shard-1")}


def row(servable, *shards, document=5):
    projection = Projection(
        base_path="b", keep=1, pin=None, retired=False, versions={}, document=document
    )
    return ModelRow(servable, shards, projection)


def view(models=(), projected=None, **fields):
    return FleetView(
        now=NOW,
        policy=Policy(),
        shards=fields.pop("shards", SHARDS),
        summaries=fields.pop("summaries", {}),
        models=models,
        projected=projected or {},
        **fields,
    )


def record(state="RETIRED", document=5):
    return ShardStatus(models={"acme.a": ModelRecord(state=state, document=document)})


def test_a_fleet_as_it_should_be_needs_nothing():
    made = fleet_plan.make(view([row("acme.a", "shard-0")], {("shard-0", "acme.a"): 5}), FIRST)
    assert made.empty
    assert made.actions == ()


@pytest.mark.parametrize(
    "field",
    [n for n in FleetPlan.__slots__ if n not in ("evidence", "blocked", "late", "short", "moves")],
)
def test_whatever_is_to_be_done_is_not_nothing(field):
    assert not FleetPlan(**{field: (object(),)}).empty


@pytest.mark.parametrize("field", ["begin", "end", "rehome"])
def test_a_move_is_not_nothing_and_one_that_cannot_be_is(field):
    assert not FleetPlan(moves=Moves(**{field: (object(),)})).empty
    refused = FleetPlan(moves=Moves(refused={f"acme.m{n}": "why not" for n in range(5)}))
    assert refused.empty
    assert refused.moves.waits.startswith("acme.m0 is not moved: why not; acme.m1 is")
    assert refused.moves.waits.endswith("; 2 more are not moved")


def test_only_shards_that_are_to_let_go_or_are_full_are_asked_for_their_whole_status():
    models = [row("acme.a", "shard-1"), row("acme.b", "shard-0")]
    projected = {("shard-0", "acme.a"): 5, ("shard-1", "acme.a"): 5, ("shard-0", "acme.b"): 5}
    assert fleet_plan.asked(models, projected, SHARDS, {}) == ("shard-0",)
    full = {name: record().summary(name) for name in SHARDS}
    full["shard-1"] = full["shard-1"].model_copy(update={"unplaced": ("acme.a",)})
    assert fleet_plan.asked([], {}, SHARDS, full) == ("shard-1",)
    draining = SHARDS["shard-0"].model_copy(update={"state": "draining"})
    assert fleet_plan.asked([], {}, {"shard-0": draining}, {}) == ("shard-0",)


@pytest.mark.parametrize(
    ("statuses", "dropped"),
    [
        ({}, ()),
        ({"shard-0": record()}, (("shard-0", "acme.a"),)),
        ({"shard-0": record(document=4)}, ()),
        ({"shard-0": record(state="SERVING")}, ()),
        ({"shard-1": record()}, ()),
    ],
)
def test_a_projection_goes_when_its_shard_said_that_it_let_go(statuses, dropped):
    projected = {("shard-0", "acme.a"): 5, ("shard-1", "acme.a"): 5}
    seen = view([row("acme.a", "shard-1")], projected, statuses=statuses)
    assert fleet_plan.make(seen, FIRST).drop == dropped


def test_a_plan_says_what_it_does():
    projected = {("shard-0", "acme.a"): 4}
    made = fleet_plan.make(view([row("acme.a", "shard-1")], projected, shards={}), FIRST)
    reason = "the common pool has at least 1 shards"
    assert made.actions == (f"create shard-0: {reason}", "repair 2 projections")
