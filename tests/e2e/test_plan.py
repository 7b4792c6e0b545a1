"""`berth plan` on the real stack: nothing to do, then what was damaged, and then what the tick does."""

import json

import pytest

from tests.support import command, e2e
from tests.support.e2e import until


def ask(berth, *words):
    """Ask as an operator does, with what `make up` wrote."""
    url = berth.stack.environment["BERTH_STATUS_URL"]
    return command.berth("plan", *words, BERTH_STATUS_URL=url)


def plan(berth, *words):
    done = ask(berth, *words)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def as_json(berth):
    found = json.loads(plan(berth, "--json"))
    e2e.validate("plan", found)
    return found


@pytest.fixture
def served(berth, customer):
    """A model that serves on every replica."""
    berth.fleet.upload(e2e.HALF_PLUS_TWO, f"{customer}/own/1")
    berth.serves(f"{customer}.own", 1, e2e.TWO)
    return f"{customer}.own"


def test_a_settled_fleet_has_nothing_to_do_and_asking_writes_nothing(berth, served, settled):
    shard = berth.fleet.model(served)["shard"]

    def quiet():
        before = berth.fleet.generations()
        told = plan(berth), plan(berth, shard)
        return told, before == berth.fleet.generations()

    until("a look while nothing changes", lambda: quiet()[1] and not as_json(berth)["steps"])
    (tick, one), _ = quiet()
    assert "the next tick would change nothing" in tick
    assert f"{shard} has nothing to do" in one


def repaired(berth):
    """Whether a tick said that it repaired something."""
    ticks = berth.entries("reconcile_fleet", outcome="changed")
    return any(action.startswith("repair ") for tick in ticks for action in tick.get("actions", ()))


def test_it_says_of_a_deleted_projection_what_the_tick_then_does(berth, served):
    shard = berth.fleet.model(served)["shard"]
    projection = berth.fleet.control.blob(f"shards/{shard}/models/{served}")
    step = ("repair", served, shard, f"{shard} has no projection of it")

    line = f"repair {served} on {shard}: {step[3]}"

    def foretold():
        """The minute's own tick may be quicker: then once more."""
        if berth.fleet.control.get_blob(projection.name) is not None:
            projection.delete()
        steps = as_json(berth)["steps"]
        found = {(one["kind"], one["subject"], one["shard"], one["reason"]) for one in steps}
        return step in found and line in plan(berth)

    until("the plan says so before a tick has mended it", foretold)
    berth.fleet.tick()
    until("the tick does it", lambda: berth.fleet.control.get_blob(projection.name) is not None)
    until("and says so", lambda: repaired(berth))
    until("the plan has it no more", lambda: served not in plan(berth))
    berth.serves(served, 1, e2e.TWO)


@pytest.mark.usefixtures("disturbing")
def test_it_says_of_a_shard_that_the_policy_asks_for_what_the_tick_then_does(berth, policy):
    known = berth.fleet.ask("/fleet")["shards"]
    policy(common={"min_shards": len(known) + 1})
    said = {
        step["subject"]: step["dollars_a_month"]
        for step in as_json(berth)["steps"]
        if step["kind"] == "create"
    }
    ticked = set(berth.fleet.ask("/fleet")["shards"]) - set(known)  # by the minute's own tick
    (made,) = {*said, *ticked}  # a number that was never given: removed shards are not shown
    assert made not in known
    assert all(dollars > 0 for dollars in said.values())
    berth.fleet.tick()
    until("the tick makes it", lambda: made in berth.fleet.ask("/fleet")["shards"])
    until("its replicas are ready", lambda: len(berth.fleet.replicas.ready(made)) == 2)
    until("the plan has it no more", lambda: f"create {made}" not in plan(berth))


def test_an_unknown_shard_is_four(berth):
    done = ask(berth, "shard-999")
    assert done.returncode == 4
    assert "there is no shard 'shard-999'" in done.stderr
