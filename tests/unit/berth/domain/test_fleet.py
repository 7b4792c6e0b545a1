"""The fleet's tick: missing, stale, unjudged and unheard, each by a small table."""

import pytest

from berth.domain import fleet
from berth.domain.documents import Projection, Shard
from berth.domain.fleet import FirstShards, ModelRow, UploadRow
from berth.domain.names import ModelName, VersionName

NAME = ModelName("acme", "digits")
FIRST = FirstShards(count=2, replicas_min=2, replicas_max=4, memory_bytes=1, max_models=200)


def test_missing_shards_are_made_and_existing_ones_never_reshaped():
    both = fleet.missing_shards({}, FIRST)
    assert [s.shard for s in both] == ["shard-0", "shard-1"]
    mine = {"shard-0": Shard(shard="shard-0", memory_bytes=99), "other": both[0]}
    assert [s.shard for s in fleet.missing_shards(mine, FIRST)] == ["shard-1"]


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
