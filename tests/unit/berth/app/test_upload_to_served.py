"""The main road: a sign-up, an upload, and what serves at the end."""

import pytest

from tests.support.world import World


@pytest.fixture
def world():
    return World().settle()


def test_a_new_fleet_makes_its_shards_and_settles(world):
    assert [pod.ready for pod in world.workloads.pods("shard-0")] == [True, True]
    assert world.boot("shard-0") == "model_config_list {\n}\n"


def test_a_sign_up_serves_the_starter_model(world):
    world.sign_up()
    world.settle()
    assert world.loaded("shard-0", "acme.starter") == {1}
    assert world.said("training.requested") == [("training.requested", "acme.starter", None)]
    assert world.said("model.serving") == [("model.serving", "acme.starter", 1)]


def test_an_upload_is_admitted_once_and_serves_everywhere(world):
    world.sign_up()
    world.upload("acme/digits/1")
    world.settle()
    assert world.loaded("shard-0", "acme.digits") == {1}
    assert world.answer("acme/digits/1.status.json")["state"] == "ADMITTED"
    assert len(world.probe.requests) == 1
    assert "acme.digits" in world.boot("shard-0")
    assert world.said("model.serving").count(("model.serving", "acme.digits", 1)) == 1
