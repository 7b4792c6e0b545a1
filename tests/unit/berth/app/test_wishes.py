"""serving.yaml: pins and keeps, through to what the servers have loaded."""

import pytest

from berth.domain.observation import VersionStatus
from tests.unit.berth.app import worlds

YAML = "acme/digits/serving.yaml"
ANSWER = YAML + ".status.json"


def two():
    world = worlds.serving()
    world.upload("acme/digits/2")
    return world.settle()


def test_a_new_version_takes_over():
    world = two()
    assert world.loaded("shard-0", "acme.digits") == {2}
    assert world.said("model.retired") == [("model.retired", "acme.digits", 1)]


def test_a_pin_rolls_back_and_its_end_rolls_forward():
    world = two()
    world.put(YAML, b"pin: 1")
    world.settle()
    assert world.loaded("shard-0", "acme.digits") == {1}
    assert world.answer(ANSWER)["state"] == "ADMITTED"
    world.put(YAML, b"keep: 2")
    world.settle()
    assert world.loaded("shard-0", "acme.digits") == {1, 2}


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"pin: 9", "not admitted"), (b"keep: [", "not YAML"), (b"x" * 20_000, "too many")],
)
def test_a_bad_one_is_answered_and_changes_nothing(data, reason):
    world = two()
    before = world.model("acme.digits")
    world.put(YAML, data)
    world.settle()
    assert world.answer(ANSWER)["state"] == "REJECTED"
    assert reason in world.answer(ANSWER)["reason"]
    assert world.model("acme.digits") == before


def test_a_huge_one_put_in_place_of_the_one_that_was_looked_at_is_not_read():
    world = two()
    world.put(YAML, b"keep: 2")
    largest = []

    def before(kind, name):
        if kind in ("get", "download") and name == YAML and not largest:
            largest.append(20_000)
            world.uploads.put(YAML, b"#" * 20_000, if_generation=None)

    read = world.uploads.get
    world.uploads.get = lambda name: largest.append(name) if name == YAML else read(name)
    world.uploads.before = before
    world.settle()
    assert largest == [20_000], "only a pinned generation is read"
    assert "too many" in world.answer(ANSWER)["reason"]
    assert world.model("acme.digits").wants.keep == 1


def test_a_wish_before_the_first_version_is_taken_up_with_it():
    world = worlds.signed_up()
    world.put(YAML, b"keep: 2")
    world.settle()
    assert world.answer(ANSWER)["state"] == "PENDING"
    world.upload("acme/digits/1")
    world.upload("acme/digits/2")
    world.settle()
    world.fleet_tick(sweep=True)
    world.settle()
    assert world.loaded("shard-0", "acme.digits") == {1, 2}


def test_a_bad_wish_is_not_asked_for_again_by_every_sweep_in_vain():
    world = two()
    world.put(YAML, b"pin: 9")
    world.settle()
    world.upload("acme/digits/9")
    world.settle()
    world.fleet_tick(sweep=True)
    world.settle()
    assert world.model("acme.digits").wants.pin == 9


def test_a_deleted_wish_changes_nothing():
    world = two()
    world.put(YAML, b"pin: 1")
    world.settle()
    world.uploads.delete(YAML)
    world.fleet_tick(sweep=True)
    world.settle()
    assert world.model("acme.digits").wants.pin == 1


def test_a_pin_of_a_quarantined_version_falls_back_to_what_loads():
    world = two()
    world.mount.broken["/models/acme/digits", 3] = VersionStatus("END", 3, "corrupt")
    world.upload("acme/digits/3")
    world.settle()
    assert world.loaded("shard-0", "acme.digits") == {2}
    assert ("model.quarantined", "acme.digits", 3) in world.said()
    world.put(YAML, b"pin: 3")
    world.settle()
    assert world.loaded("shard-0", "acme.digits") == {2}
