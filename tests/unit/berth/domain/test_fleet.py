"""The fleet's tick: missing, stale, unjudged and unheard, each by a small table."""

import pytest

from berth.domain import fleet
from berth.domain.documents import Footprint, Projection
from berth.domain.fleet import ModelRow, UploadRow
from berth.domain.names import ModelName, VersionName
from berth.domain.placement import BASE_BYTES, Room

NAME = ModelName("acme", "digits")


def row(*shards, document=5):
    projection = Projection(
        base_path="b", keep=1, pin=None, retired=False, versions={}, document=document
    )
    return ModelRow("acme.digits", shards, projection)


@pytest.mark.parametrize(
    ("projected", "stale"),
    [
        ({("a", "acme.digits"): 5}, []),
        ({("a", "acme.digits"): 6}, []),
        ({("a", "acme.digits"): 4}, ["a"]),
        ({}, ["a"]),
        ({("b", "acme.digits"): 5}, ["a"]),
    ],
)
def test_stale_projections(projected, stale):
    assert [s for s, _, _ in fleet.stale_projections([row("a")], projected)] == stale


def test_a_moving_model_is_projected_twice():
    found = fleet.stale_projections([row("a", "b")], {("a", "acme.digits"): 5})
    assert [(s, n) for s, n, _ in found] == [("b", "acme.digits")]


@pytest.mark.parametrize(
    ("complete", "judged", "due"), [(True, 0, 1), (True, 8, 1), (True, 9, 0), (False, 0, 0)]
)
def test_unjudged_versions(complete, judged, due):
    version = VersionName(NAME, 1)
    rows = [UploadRow(version, newest=9, complete=complete)]
    assert len(fleet.unjudged(rows, {version: judged} if judged else {})) == due


@pytest.mark.parametrize(("heard", "due"), [({NAME: 3}, 1), ({NAME: 4}, 0), ({}, 0)])
def test_unheard_wishes(heard, due):
    assert len(fleet.unheard({NAME: 4}, heard)) == due


def waiting(servable, shard, size=2**20):
    footprint = Footprint(resident_bytes=size, peak_bytes=size, load_seconds=1)
    projection = Projection(
        base_path=servable, keep=1, pin=None, retired=False, versions={1: footprint}, document=1
    )
    return ModelRow(servable, (shard,), projection)


def room(shard, models, max_models=2):
    return Room(shard, models, max_models, used_bytes=BASE_BYTES, bound_bytes=2**31)


def test_what_its_shard_has_no_room_for_goes_where_there_is_room_until_that_is_full():
    rows = [waiting("acme.a", "shard-0"), waiting("acme.b", "shard-0")]
    unplaced = {"shard-0": ("acme.a", "acme.b")}
    rooms = [room("shard-0", 2), room("shard-1", 1)]
    (only,) = fleet.replacements(rows, fleet.waiting(rows, unplaced), rooms)
    assert (only.servable, only.shard, only.target) == ("acme.a", "shard-0", "shard-1")
    assert only.placed.reason == "shard-0 had no room for it; no other shard has room"


def test_what_moved_meanwhile_or_fits_nowhere_stays():
    rows = [waiting("acme.a", "shard-1"), waiting("acme.b", "shard-0", size=2**32)]
    unplaced = {"shard-0": ("acme.a", "acme.b", "acme.gone")}
    rooms = [room("shard-0", 2), room("shard-1", 0)]
    assert fleet.replacements(rows, fleet.waiting(rows, unplaced), rooms) == ()
