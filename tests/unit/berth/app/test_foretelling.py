"""A plan in words and as JSON: reasons and costs of everything a tick can do, and as published."""

import json
from dataclasses import fields

import jsonschema
import pytest

from berth.domain import documents, foretelling, foretold_steps
from berth.domain.errors import NotFound
from berth.domain.fleet_plan import FleetPlan
from berth.domain.foretelling import Foretold
from berth.domain.foretold_pass import ForetoldPass
from infra.functions import ROOT
from tests.support.world import MIB, World
from tests.unit.berth.app import worlds

PROJECTION = documents.projection_name("shard-0", "acme.digits")
REPLICA = (730 * 0.1988884 + 50 * 0.10) / 8  # half a CPU of four


def plan(world):
    """The plan as JSON, as published."""
    found = world.status.ask("/plan")
    validate("plan", found)
    return found


def validate(name, found):
    schema = json.loads((ROOT / f"docs/schemas/{name}.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(json.dumps(found)), schema)


def told(world, path="/plan"):
    return world.status.ask(path, words=True).body


def test_an_idle_fleet_has_nothing_to_do():
    world = worlds.serving()
    found = plan(world)
    assert found["steps"] == []
    assert found["totals"] == {"steps": {}, "bytes": 0, "seconds": 0.0, "dollars_a_month": 0.0}
    assert "would change nothing" in told(world)
    assert "has nothing to do" in told(world, "/plan/shard-0")


def test_shards_to_create_have_their_price():
    world = World(shards=2, memory=2048 * MIB)
    first, second = plan(world)["steps"]
    assert (first["kind"], first["subject"]) == ("create", "shard-0")
    assert first["dollars_a_month"] == second["dollars_a_month"] == round(2 * REPLICA, 2)
    assert plan(world)["totals"]["dollars_a_month"] == round(2 * round(2 * REPLICA, 2), 2)
    assert f"create shard-0: the common pool has at least 2 shards (+{2 * REPLICA:.2f}" in (
        told(world)
    )
    assert "USD, list prices of europe-west1 as of 2025-03-06, for nodes of type e2-highmem-4" in (
        told(world)
    )


def test_a_lost_projection_of_what_serves_loads_nothing():
    world = worlds.serving()
    world.control.delete(PROJECTION)
    (step,) = plan(world)["steps"]
    assert (step["kind"], step["subject"], step["bytes"]) == ("repair", "acme.digits", 0)
    assert step["reason"] == "shard-0 has no projection of it"
    assert "Together: nothing is loaded, nothing costs more" in told(world)


def test_a_projection_that_brings_a_new_version_loads_it_on_each_replica():
    world = worlds.serving()
    old = world.control.get(PROJECTION)
    world.upload("acme/digits/2")
    world.run_until("shards")
    world.control.put(PROJECTION, b"", if_generation=None, metadata=old.stat.metadata)
    (step,) = plan(world)["steps"]
    assert (step["bytes"], step["seconds"]) == (2 * 10 * MIB, 0.1)
    assert "projection is of generation" in step["reason"]
    assert "(loads 20.0 MiB in about 0.1 s)" in told(world)


def test_a_restart_loads_all_that_the_shard_has_once_a_replica():
    world = worlds.serving()
    world.clock.advance(120)
    world.policy(restart_before=world.clock.now().isoformat(timespec="seconds"))
    (step,) = plan(world)["steps"]
    assert (step["kind"], step["subject"]) == ("restart", "shard-0")
    assert step["bytes"] == 2 * (10 + 1) * MIB  # acme.digits and acme.starter
    assert step["seconds"] == 2 * 0.2
    assert "from before the operator's restart_before" in step["reason"]


def test_a_restart_by_age_says_how_old_and_one_under_way_holds_others_back():
    world = worlds.fresh(shards=2)
    world.policy(max_age_seconds=60)
    world.clock.advance(120)
    (step,) = plan(world)["steps"]
    assert step["reason"].endswith("longer than 60 s")
    world.send("ticks", b'{"sweep": false}')
    world.deliver(world.queue.popleft())
    assert plan(world)["blocked"] == "shard-0 restarts"
    assert "Held back: shard-0 restarts." in told(world)
    assert "restart shard-0: a restart was ordered at" in told(world, "/plan/shard-0")


def test_a_repair_tells_that_a_shard_is_to_let_go_and_a_drop_that_it_has():
    world = worlds.signed_up(shards=2)
    world.upload("acme/digits/1")
    world.settle()
    name = "models/acme.digits.json"
    model = world.model("acme.digits")
    moved = model.model_copy(update={"shard": "shard-1"})
    held = world.control.get(name)
    metadata = held.stat.metadata | {"shard": "shard-1"}
    world.control.put(name, moved.encode(), if_generation=None, metadata=metadata)
    reasons = {(s["kind"], s["shard"]): s["reason"] for s in plan(world)["steps"]}
    assert reasons == {
        ("repair", "shard-1"): "shard-1 has no projection of it",
        ("repair", "shard-0"): "shard-0 is told to let go of it: it is placed on shard-1",
    }
    seen = set()
    for _ in range(10):
        seen |= {(s["kind"], s["reason"]) for s in plan(world)["steps"]}
        world.fleet_tick()
    assert ("drop", "shard-0 has let go of it; it is placed on shard-1") in seen


def test_a_move_says_from_where_why_and_what_the_target_loads():
    world = worlds.signed_up(shards=2)
    world.upload("acme/digits/1")
    world.settle()
    source = world.model("acme.digits").shard
    target = "shard-1" if source == "shard-0" else "shard-0"
    world.policy(moves={"wanted": {"acme.digits": target}})
    (step,) = plan(world)["steps"]
    assert (step["kind"], step["subject"], step["shard"]) == ("move", "acme.digits", target)
    assert (step["bytes"], step["seconds"]) == (2 * 10 * MIB, 0.1)
    assert f"move acme.digits to {target}: from {source}: " in told(world)
    world.send("ticks", b'{"sweep": false}')
    world.run()
    words = set()
    for _ in range(5):
        words |= {line.split(": ")[0].strip() for line in told(world).splitlines()}
        world.fleet_tick()
        world.tick(3)
    assert f"cut over acme.digits to {target}" in words


def test_a_pool_that_may_not_grow_says_what_it_is_held_back_from():
    world = worlds.fresh(shards=1)
    world.policy(common={"min_shards": 2, "max_shards": 2})
    (step,) = plan(world)["steps"]
    assert (step["kind"], step["subject"]) == ("create", "shard-1")
    assert step["dollars_a_month"] == round(2 * REPLICA, 2)
    world = worlds.signed_up(shards=1, max_models=1)
    world.upload("acme/digits/1")
    world.settle()
    assert "no more are allowed" in plan(world)["blocked"]
    assert "Held back: " in told(world)


def test_of_a_pool_it_says_that_its_price_is_that_of_other_nodes():
    world = worlds.fresh(shards=1)
    world.policy(pools={"gold": {"min_shards": 1}})
    (step,) = plan(world)["steps"]
    assert (step["kind"], step["dollars_a_month"]) == ("create", round(2 * REPLICA, 2))
    assert "what the nodes of pool gold cost: its shards are counted as on e2-highmem-4" in (
        told(world)
    )


def test_a_machine_without_a_price_leaves_the_money_open(monkeypatch):
    world = World(shards=1)
    rates = foretold_steps.Rates(world.status.foretelling.rates.prices, "n2-standard-8", 50)
    object.__setattr__(world.status.foretelling, "rates", rates)
    found = plan(world)
    assert found["basis"] is None
    assert found["totals"]["dollars_a_month"] is None
    assert "There is no price for the machine that serves" in told(world)


def test_what_is_not_shown_is_counted(monkeypatch):
    monkeypatch.setattr(foretelling, "SHOWN_STEPS", 2)
    found = plan(World(shards=5))
    assert (len(found["steps"]), found["left_out"]) == (2, 3)
    assert found["totals"]["steps"] == {"create": 5}
    assert "and 3 more" in told(World(shards=5))


def test_every_action_of_a_plan_has_a_teller():
    silent = {"evidence", "blocked", "late", "short"}
    assert {field.name for field in fields(FleetPlan)} == {*foretold_steps.TELLERS, *silent}


def test_a_shard_tells_what_it_is_to_load_and_to_let_go_of():
    world = worlds.serving()
    world.upload("acme/digits/2")
    world.run_until("shards")
    found = world.status.ask("/plan/shard-0")
    validate("plan-shard", found)
    assert found["steps"] == [
        {
            "kind": "load",
            "subject": "acme.digits/2",
            "reason": "it is wanted and not announced",
            "bytes": 2 * 10 * MIB,
            "seconds": 0.1,
        }
    ]
    world.customer("deleted", "acme", at=3, model="digits")
    world.run_until("shards")
    found = told(world, "/plan/shard-0")
    assert "let go acme.digits: versions 1: nothing of the model is wanted here any more" in found


def test_a_shard_without_a_projection_carries_forward_and_one_that_is_full_lets_wait():
    world = worlds.serving()
    world.control.delete(PROJECTION)
    assert "carry forward acme.digits" in told(world, "/plan/shard-0")
    world = worlds.signed_up(max_models=1)
    world.upload("acme/digits/1")
    world.settle()
    assert "wait acme.digits/1: shard full" in told(world, "/plan/shard-0")


def test_a_shard_that_never_had_a_pass_begins_and_an_unknown_one_is_not_found():
    world = World(shards=1)
    world.send("ticks", b'{"sweep": false}')
    world.deliver(world.queue.popleft())
    assert "begin shard-0: it had no pass yet" in told(world, "/plan/shard-0")
    with pytest.raises(NotFound, match="there is no shard"):
        world.status.ask("/plan/shard-9")


@pytest.mark.parametrize(
    ("name", "title", "document"),
    [
        ("plan", "What the next tick would do", Foretold),
        ("plan-shard", "What a shard's next passes have to do", ForetoldPass),
    ],
)
def test_the_schemas_are_those_of_the_documents(name, title, document, request):
    made = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"https://berth.dev/schemas/{name}.json",
        **document.model_json_schema(mode="serialization"),
        "title": title,
    }
    text = json.dumps(made, indent=2, ensure_ascii=False) + "\n"
    path = ROOT / f"docs/schemas/{name}.json"
    if request.config.getoption("--golden", default=False):
        path.write_text(text)
    assert path.read_text() == text, "make golden writes it anew"
