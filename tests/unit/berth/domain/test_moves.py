"""Moves under way: cut over when the target serves all, given up with a reason, and never before."""

import pytest

from berth.domain import moves
from berth.domain.footprint import Footprint
from berth.domain.shard_status import Quarantine
from tests.support.moving import MIB, begun, record, row, scene, shard, status

SHARDS = (shard("a"), shard("b"))


def ended(there, here=None, *, model=None, **more):
    """How a move from a to b ends: "" not yet, "moved", or why it is given up."""
    one = model or row("acme.digits", "a", "b", move=begun())
    statuses = {
        "a": status(acme_digits=here or record()),
        "b": status(acme_digits=there) if there is not None else status(),
    }
    seen = scene(
        [one], more.pop("shards", SHARDS), statuses=statuses | more.pop("also", {}), **more
    )
    found = moves.ends(seen)
    return (found[0].abandoned or "moved") if found else ""


def held(**more):
    return {1: Quarantine(**{"reason": "bad", "transient": False, "attempts": 1, **more})}


def test_what_the_target_serves_is_cut_over():
    (end,) = moves.ends(
        scene(
            [row("acme.digits", "a", "b", move=begun())],
            SHARDS,
            statuses={"a": status(acme_digits=record()), "b": status(acme_digits=record())},
        )
    )
    assert (end.servable, end.source, end.target) == ("acme.digits", "a", "b")
    assert (end.bytes, end.generation, end.abandoned) == (10 * MIB, 5, "")


@pytest.mark.parametrize(
    "there",
    [
        None,
        record(document=4),
        record("LOADING", ()),
        record("LOADING", (1,)),
        record("SERVING", ()),
        record("PENDING", (), reason="waits for its turn to load"),
    ],
)
def test_until_then_it_goes_on(there):
    assert ended(there) == ""


def test_every_wanted_version_must_serve_there():
    two = row("acme.digits", "a", "b", move=begun())
    sizes = {1: two.projection.versions[1], 2: two.projection.versions[1]}
    both = two.projection.model_copy(update={"versions": sizes, "keep": 2})
    two = row("acme.digits", "a", "b", move=begun())
    two = type(two)(two.servable, two.shards, both, move=two.move)
    assert ended(record(announced=(2,)), record(announced=(1, 2)), model=two) == ""
    assert ended(record(announced=(1, 2)), record(announced=(1, 2)), model=two) == "moved"


def test_a_target_that_lost_its_replicas_takes_nothing_over():
    assert ended(record(), also={"b": status(ready=0, acme_digits=record())}) == ""


@pytest.mark.parametrize(
    ("state", "reason"), [("draining", "b is draining"), ("removed", "b is removed")]
)
def test_a_target_that_goes_away_is_given_up(state, reason):
    assert ended(record(), shards=(shard("a"), shard("b", state=state))) == reason


def test_a_target_that_is_not_there_is_given_up():
    assert ended(record(), shards=(shard("a"),)) == "b is not there"


@pytest.mark.parametrize("there", [None, record(), record("RETIRED", ())])
def test_a_model_that_is_served_no_more_is_at_home_at_the_target_at_once(there):
    gone = row("acme.digits", "a", "b", move=begun(), retired=True)
    assert ended(there, model=gone) == "moved"


def test_a_full_target_is_given_up():
    full = record("PENDING", (), reason="shard full: 3 models within 7 bytes")
    assert ended(full).startswith("no room there: shard full")


@pytest.mark.parametrize(
    ("quarantine", "given_up"),
    [
        ({}, True),
        ({"transient": True}, False),
        ({"transient": True, "attempts": 3}, True),
        ({"transient": True, "alone": True}, True),
        ({"active": False}, False),
    ],
)
def test_a_version_that_does_not_load_there(quarantine, given_up):
    there = record("QUARANTINED", (), quarantined=held(**quarantine))
    assert ended(there) == ("version 1 is quarantined there: bad" if given_up else "")


def test_what_serves_nowhere_is_lost_by_no_change():
    nothing = record("QUARANTINED", (), quarantined=held())
    assert ended(nothing, nothing) == "moved"


def test_what_the_old_shard_cannot_serve_is_not_asked_of_the_target():
    two = row("acme.digits", "a", "b", move=begun())
    size = two.projection.versions[1]
    both = two.projection.model_copy(update={"versions": {1: size, 2: size}})
    two = type(two)(two.servable, two.shards, both, move=two.move)
    broken = {2: held()[1]}
    assert ended(record(quarantined=broken), record(quarantined=broken), model=two) == "moved"
    assert ended(record(announced=(2,)), record(quarantined=broken), model=two) == "moved"


def test_patience_ends_and_grows_with_the_load_time():
    late = row("acme.digits", "a", "b", move=begun(ago=902))
    assert ended(None, model=late) == "not served there within 901 s: it was not taken up there"
    loading = record("LOADING", (), reason="available on 0 of 2 replicas")
    assert ended(loading, model=late).endswith("901 s: available on 0 of 2 replicas")
    assert ended(loading, model=row("acme.digits", "a", "b", move=begun(ago=899))) == ""
    assert ended(record(), model=late) == "moved"


@pytest.mark.parametrize(
    "move", [None, begun(target="c"), begun(ended="2026-01-01T00:00:00+00:00")]
)
def test_a_move_that_nobody_noted_is_given_up(move):
    assert (
        ended(None, model=row("acme.digits", "a", "b", move=move)) == "nobody noted when it began"
    )


def test_several_versions_need_their_sum_and_the_largest_growth():
    one = row("acme.digits", "a", mib=10, peak=14)
    grown = Footprint(resident_bytes=20 * MIB, peak_bytes=30 * MIB, load_seconds=2)
    both = one.projection.model_copy(
        update={"keep": 2, "versions": {**one.projection.versions, 2: grown}}
    )
    need = moves.footprint(type(one)(one.servable, one.shards, both))
    assert (need.resident_bytes, need.peak_bytes) == (30 * MIB, 40 * MIB)
    assert need.load_seconds == pytest.approx(2.1)


def test_both_ends_of_what_moves_are_asked():
    assert moves.involved([row("x", "a"), row("y", "c", "b"), row("z", "b", "a")]) == (
        "a",
        "b",
        "c",
    )
