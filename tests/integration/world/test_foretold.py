"""What a plan says is what the next tick does: in every story, before every tick, and asking writes nothing."""

import pytest

from berth.domain import documents
from berth.domain.documents import Model, Shard
from tests.reliability import stories
from tests.reliability.speed import fast

MOVES = ("move", "cut over", "give up", "rehome")
TURNS = {"draining": "drain", "active": "take back", "removed": "remove"}


def control(fleet):
    return dict(fleet.buckets.objects["control"])


def foretold(fleet):
    """What the plan says, as (kind, subject, shard)."""
    before = fleet.mutations
    plan = fleet.status.look()
    fleet.status.ask("/plan", words=True)
    for shard in fleet.status.fleet()["shards"]:
        fleet.status.ask(f"/plan/{shard}", words=True)
    assert fleet.mutations == before
    return {(step.kind, step.subject, step.shard) for step in plan.steps}


def done(before, after):
    """What a tick did, worked out from what it wrote and deleted, as (kind, subject, shard)."""
    written = {name for name in after if after[name] is not before.get(name)}
    found = set()
    for name in sorted(written):
        if name.endswith("/shard.json"):
            found |= _shape(before.get(name), Shard.decode(after[name].data))
        if name.startswith("models/") and name in before:
            found |= _moved(Model.decode(before[name].data), Model.decode(after[name].data))
    placed = {(subject, shard) for kind, subject, shard in found if kind == "place"}
    moved = {subject for kind, subject, _ in found if kind in MOVES}
    deleted = set(before) - set(after)
    for name in written | deleted:
        parts = name.split("/")
        if parts[0] == "shards" and parts[2] == "models":
            if parts[3] not in moved and (parts[3], parts[1]) not in placed:
                found.add(("repair" if name in after else "drop", parts[3], parts[1]))
        elif parts[0] == "shards" and name in deleted:
            found.add(("clear", parts[1], parts[1]))
    return found


def _shape(before, after):
    if before is None:
        return {("create", after.shard, after.shard)}
    known = Shard.decode(before.data)
    kinds = ["restart"] if after.restart_at != known.restart_at else []
    kinds += [TURNS[after.state]] if after.state != known.state else []
    return {(kind, after.shard, after.shard) for kind in kinds}


def _moved(before, after):
    name, same = f"{after.customer}.{after.model}", before.shard == after.shard
    if before.target != after.target:
        word = "move" if after.target else "give up" if same else "cut over"
        return {(word, name, after.target or before.target)}
    word = "rehome" if documents.project(after).retired else "place"
    return set() if same else {(word, name, after.shard)}


@pytest.mark.parametrize("story", stories.STORIES, ids=lambda story: story.name)
def test_a_tick_does_what_its_plan_says(story):
    with fast():
        fleet = story.start()
        while (delivery := fleet.next(story)) is not None:
            said, before = foretold(fleet), control(fleet)
            fleet.deliver(delivery)
            if delivery.topic == "ticks":
                assert done(before, control(fleet)) == said
        assert foretold(fleet) == set()
