"""Worlds of two shards in which models move, and what is asked of them."""

import functools
import json

from berth.domain import documents
from berth.domain.documents import Shard
from tests.support.world import World


def serving():
    """acme.digits/1 serves on shard-0."""
    return _serving().copy()


@functools.cache
def _serving():
    world = World(shards=2).settle()
    world.sign_up()
    world.upload("acme/digits/1")
    world.settle()
    assert world.model("acme.digits").shard == "shard-0"
    assert world.loaded("shard-0", "acme.digits") == {1}
    return world


def want(world, target, servable="acme.digits", **more):
    """An operator asks for a move; what is asked for begins with the next tick."""
    world.policy(moves={"wanted": {servable: target}, **more})
    world.fleet_tick()


def minute(world, ticks=1):
    """Time goes on, and the ticks of the fleet with it."""
    for _ in range(ticks):
        world.clock.advance(60)
        world.tick(3)
        world.fleet_tick()


def serves(world, version, servable="acme.digits"):
    """The shards whose every ready replica has a version of a model."""
    shards = ("shard-0", "shard-1")
    return [shard for shard in shards if version in world.loaded(shard, servable)]


def drain(world, shard="shard-0", state="draining"):
    shape = world.read(documents.shard_name(shard), Shard)
    data = shape.model_copy(update={"state": state}).encode()
    world.control.put(documents.shard_name(shard), data, if_generation=None)


def events(world, kind):
    """(servable, version, shard) of each different event of a kind."""
    bodies = [json.loads(m.data) for m in world.publisher.messages["events"]]
    ids = {b["id"]: b for b in bodies if b["type"] == f"dev.berth.model.{kind}"}
    return [(b["subject"], b["data"]["version"], b["data"]["shard"]) for b in ids.values()]


def settled(world, ticks=6):
    minute(world, ticks)
    before = world.mutations
    minute(world)
    assert world.mutations == before, "an idle fleet writes nothing"
