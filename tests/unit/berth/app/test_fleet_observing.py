"""A look at the fleet: each document is read once, however many models it is about."""

from berth.app import control
from berth.domain import documents
from berth.domain.documents import Model
from tests.unit.berth.app import worlds


def test_a_shard_that_many_models_leave_is_asked_for_its_status_once():
    world = worlds.fresh(shards=2)
    world.sign_up()
    for number in range(4):
        world.upload(f"acme/m{number}/1")
    world.settle()
    for number in range(4):
        name = f"models/acme.m{number}.json"
        model = world.read(name, Model).model_copy(update={"shard": "shard-1"})
        control.write(world.control, name, model, if_generation=world.control.stat(name).generation)
    world.run()
    world.fleet_tick()
    asked = []

    def check(kind, name):
        if kind == "get" and name == documents.status_name("shard-0"):
            asked.append(name)

    world.fail(check)
    assert len(world.reconcile_fleet.plan().drop) == 4
    assert asked == [documents.status_name("shard-0")]
