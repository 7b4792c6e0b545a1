"""Shrinkage: one shard at a time, only with room to spare and few bytes to move, never below the least."""

import pytest

from berth.domain import growth, rooming, shrinking
from berth.domain.documents import Policy, Shard
from berth.domain.fleet import FirstShards, placed
from berth.domain.growth import Creation, Growth
from berth.domain.shard_status import ModelRecord, ShardStatus
from berth.domain.shrinking import Turn
from tests.support.moving import MIB, ROOM, row, shard, summary

FIRST = FirstShards(
    1, replicas_min=2, replicas_max=4, memory_bytes=ROOM + 1000 * MIB, max_models=100
)
DRAINING = {"state": "draining", "reason": "its models fit elsewhere"}


def fleet(**held):
    """Shards a, b, … with models of so many MiB each."""
    rows = [
        row(f"acme.{name}{number}", name, mib=size)
        for name, sizes in held.items()
        for number, size in enumerate(sizes)
    ]
    return {name: shard(name, max_models=100) for name in held}, rows


def drained(shards, rows, *, known=None, first=FIRST, **common):
    summaries = {name: summary(shape, rows) for name, shape in shards.items()}
    if known is not None:
        summaries = {name: summaries[name] for name in known}
    rooms = rooming.rooms(shards, summaries, placed(rows))
    pools = growth.pools(shards, rooms, [], Policy(common=common))
    return [turn.shard for turn in shrinking.drains(pools, rows, summaries, first)]


def test_the_shard_with_least_to_move_is_given_back_and_says_why():
    shards, rows = fleet(a=[100, 100], b=[10], c=[50])
    assert drained(shards, rows) == ["b"]
    pools = growth.pools(shards, rooming.rooms(shards, {}, placed(rows)), [], Policy())
    turn = next(shrinking._drained(pools[0], rows))
    assert (turn.before, turn.state) == ("active", "draining")
    assert turn.reason.startswith(f"its 1 models ({10 * MIB} bytes) fit elsewhere, where 1.")


@pytest.mark.parametrize(
    ("least", "gone"), [(1, ["b"]), (2, ["b"]), (3, [])], ids=["1", "2", "as many as there are"]
)
def test_never_below_the_least(least, gone):
    shards, rows = fleet(a=[100], b=[], c=[50])
    assert drained(shards, rows, min_shards=least) == gone


@pytest.mark.parametrize(("size", "freed"), [(90, True), (200, False)])
def test_so_much_stays_free_that_growth_does_not_follow(size, freed):
    shards, rows = fleet(a=[100], b=[size])
    assert bool(drained(shards, rows)) == freed
    left = {"a": shards["a"]}
    after = [row("acme.a0", "a", mib=100), row("acme.b0", "a", mib=size)]
    pools = growth.pools(left, rooming.rooms(left, {}, placed(after)), [], Policy())
    assert not growth.make(pools, left, FIRST).create


@pytest.mark.parametrize(("percent", "gone"), [(50, ["c"]), (10, []), (0, [])])
def test_the_bytes_moved_for_a_freed_shard_are_bounded(percent, gone):
    """A shard has 1400 MiB: 200 MiB are more than a tenth of it."""
    shards, rows = fleet(a=[250], b=[250], c=[200], d=[250])
    assert drained(shards, rows, drain_percent=percent) == gone


def test_what_has_no_place_elsewhere_keeps_its_shard():
    """Three shards have 200 MiB left each, and the fourth one model of 310 MiB."""
    shards = {name: shard(name, mib=600, max_models=100) for name in "abc"}
    shards["d"] = shard("d", mib=350, max_models=100)
    rows = [row(f"acme.{name}", name, mib=400) for name in "abc"]
    assert drained(shards, [*rows, row("acme.big", "d", mib=310)], headroom_percent=0) == []
    assert drained(shards, [*rows, row("acme.small", "d", mib=100)], headroom_percent=0) == []
    roomy = {**shards, "a": shard("a", mib=1500, max_models=100)}
    assert drained(roomy, [*rows, row("acme.small", "d", mib=100)], headroom_percent=0) == ["d"]


def test_a_shard_of_which_nothing_was_observed_says_nothing():
    shards, rows = fleet(a=[100], b=[], c=[50])
    assert drained(shards, rows, known=["a", "b", "c"]) == ["b"]
    assert drained(shards, rows, known=["a", "b"]) == []


@pytest.mark.parametrize(
    ("rows", "projected", "statuses", "gone"),
    [
        ([], [], {"a": ShardStatus()}, ["a"]),
        ([row("acme.x", "a")], [], {"a": ShardStatus()}, []),
        ([row("acme.x", "b", "a")], [], {"a": ShardStatus()}, []),
        ([], [("a", "acme.x")], {"a": ShardStatus()}, []),
        ([], [("b", "acme.x")], {"a": ShardStatus()}, ["a"]),
        ([], [], {}, []),
        ([], [], {"a": ShardStatus(models={"acme.x": ModelRecord(state="RETIRED")})}, []),
    ],
)
def test_a_shard_is_removed_when_nothing_of_it_is_needed(rows, projected, statuses, gone):
    shards = {"a": shard("a", **DRAINING), "b": shard("b")}
    found = shrinking.removals(shards, rows, projected, statuses)
    assert found == tuple(Turn(name, "draining", "removed", "it is drained") for name in gone)
    active = {"a": shard("a"), "b": shard("b")}
    assert shrinking.removals(active, rows, projected, statuses) == ()


def test_what_drains_is_taken_back_before_anything_is_made():
    made = tuple(Creation(shard(f"shard-{n}"), f"reason {n}") for n in range(2))
    known = {"b": shard("b", **DRAINING), "c": shard("c", state="draining"), "d": shard("d")}
    left, taken = shrinking.back(Growth(made, ("short",)), known)
    assert taken == (Turn("b", "draining", "active", "reason 0"),)
    assert left == Growth(made[:1], ("short",))
    assert shrinking.back(Growth(), known) == (Growth(), ())
    gold = {"b": shard("b", pool="gold", **DRAINING)}
    assert shrinking.back(Growth(made), gold) == (Growth(made), ())


REMOVED = Shard(shard="a", memory_bytes=1, state="removed")
BOOT, LEASE, MODEL = "shards/a/boot/models.config", "shards/a/lease.json", "shards/a/models/acme.x"


@pytest.mark.parametrize(
    ("shape", "noted", "left", "due"),
    [
        (REMOVED, True, (BOOT, LEASE), True),
        (REMOVED, True, (), False),
        (REMOVED, False, (BOOT,), False),
        (REMOVED, None, (BOOT,), False),
        (REMOVED, None, (MODEL,), False),
        (REMOVED, None, (LEASE,), True),
        (shard("a"), True, (BOOT,), False),
    ],
)
def test_what_is_left_is_cleared_when_no_workload_can_be_there(shape, noted, left, due):
    seen = {} if noted is None else {"a": ShardStatus(removed=noted).summary("a")}
    assert shrinking.clear({"a": shape}, seen, {"a": left}) == (("a",) if due else ())
