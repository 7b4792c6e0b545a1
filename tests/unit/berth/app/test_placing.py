"""Where an admitted model goes, and that its document and the status say why."""

from tests.unit.berth.app import worlds


def test_a_model_goes_home_and_its_document_says_so():
    world = worlds.signed_up()
    world.upload("acme/digits/1")
    world.settle()
    placed = world.model("acme.digits").placed
    assert (placed.shard, placed.reason) == ("shard-0", "its customer is at home there")
    assert world.status.model("acme.digits")["placed"] == placed.model_dump(mode="json")
    assert world.status.model("acme.starter")["placed"] is None


def test_a_model_that_home_has_no_room_for_goes_elsewhere_and_its_document_says_why():
    world = worlds.signed_up(shards=2, max_models=2)
    for name in ("digits", "more"):
        world.upload(f"acme/{name}/1")
        world.settle()
    home = world.model("acme.starter").shard
    placed = world.model("acme.more").placed
    assert placed.shard != home
    assert placed.reason == "no other shard has room"
    against = {choice.shard: choice.against for choice in placed.choices}
    assert against == {placed.shard: "", home: "it has 2 of 2 models"}
    assert world.loaded(placed.shard, "acme.more") == {1}
