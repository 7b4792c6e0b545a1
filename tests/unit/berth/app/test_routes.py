"""Routes over a whole world: written with what is announced, once, and made anew when they are lost."""

from berth.domain import documents
from berth.domain.routing import ShardRoutes
from tests.unit.berth.app import worlds

NAME = documents.routes_name("shard-0")


def routes(world):
    return world.read(NAME, ShardRoutes).models


def test_a_new_shard_has_empty_routes():
    world = worlds.fresh()
    assert world.read(NAME, ShardRoutes) == ShardRoutes(shard="shard-0")


def test_a_version_that_is_announced_is_routed():
    world = worlds.serving()
    route = routes(world)["acme.digits"]
    assert (route.versions, route.default, route.reason) == ((1,), 1, "")
    assert route.document == world.control.stat("models/acme.digits.json").generation


def test_a_model_that_waits_is_routed_nowhere_with_its_reason():
    world = worlds.signed_up(max_models=1)
    world.upload("acme/digits/1")
    world.settle()
    route = routes(world)["acme.digits"]
    assert route.versions == ()
    assert route.reason.startswith("shard full")


def test_what_an_upload_changes_is_written_when_it_is_announced():
    world = worlds.serving()
    writes = []
    world.control.after = lambda kind, name: kind == "put" and writes.append(name)
    world.upload("acme/digits/2")
    world.settle()
    assert writes.count(NAME) == 1
    assert routes(world)["acme.digits"].versions == (2,)


def test_lost_and_damaged_routes_are_made_anew():
    world = worlds.serving()
    before = routes(world)["acme.digits"].versions
    world.control.delete(NAME)
    world.settle()
    assert routes(world)["acme.digits"].versions == before
    world.control.put(NAME, b"{", if_generation=None)
    world.settle()
    assert routes(world)["acme.digits"].versions == before
