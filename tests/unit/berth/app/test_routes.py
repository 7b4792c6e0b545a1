"""Routes over a whole world: written with what is announced, once, and made anew when they are lost."""

from berth.app import control, projecting
from berth.domain import documents
from berth.domain.documents import Model, Projection
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


def place(world, **fields):
    """Write where acme.digits is, project it, and let both shards pass."""
    name = "models/acme.digits.json"
    edited = lambda known: known.model_copy(update=fields)  # noqa: E731
    held = control.change(world.control, name, Model, edited)
    projecting.project_model(world.control, held.document, held.generation)
    for shard in ("shard-0", "shard-1"):
        world.send("shards", b'{"shard": "%s"}' % shard.encode())
    world.run()


def test_a_model_on_its_way_arrives_where_it_is_not_at_home_yet():
    world = worlds.signed_up(shards=2)
    world.upload("acme/digits/1")
    world.settle()
    home = world.model("acme.digits").shard
    other = "shard-1" if home == "shard-0" else "shard-0"

    def there(shard):
        route = world.read(documents.routes_name(shard), ShardRoutes).models.get("acme.digits")
        return route and (route.versions, route.arriving)

    place(world, target=other)
    assert there(home) == ((1,), False)
    assert there(other) == ((1,), True)
    place(world, shard=other, target=None)
    world.settle()
    assert there(home) is None
    assert there(other) == ((1,), False)


def test_whoever_projects_a_model_tells_its_target_that_it_arrives():
    world = worlds.serving()
    model = world.model("acme.digits").model_copy(update={"target": "shard-1"})
    projecting.project_model(world.control, model, 2**60)
    found = {
        shard: Projection.from_metadata(
            world.control.stat(documents.projection_name(shard, "acme.digits")).metadata
        ).arriving
        for shard in ("shard-0", "shard-1")
    }
    assert found == {"shard-0": False, "shard-1": True}
