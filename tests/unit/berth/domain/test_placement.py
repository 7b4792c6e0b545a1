"""Placement: home first, best fit, within a pool, with wishes that give way and bounds that never do."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from berth.domain import placement
from berth.domain.documents import Footprint
from berth.domain.placement import BASE_BYTES, SPREAD_MODELS, Room, Wanted


def room(shard, used, bound=100, models=0, max_models=10, **more):
    return Room(shard, models, max_models, used, bound, **more)


def footprint(resident, peak=0):
    return Footprint(resident_bytes=resident, peak_bytes=max(peak, resident), load_seconds=1)


def wanted(size, servable="acme.a", **more):
    return Wanted(servable, footprint(1, peak=size), **more)


def drawn(rooms, size=10, names=40, **more):
    """The shards that models of many names go to."""
    asked = [wanted(size, f"acme.m{n}", **more) for n in range(names)]
    return {placement.place(one, rooms).shard for one in asked}


@pytest.mark.parametrize(
    ("rooms", "home", "shards"),
    [
        ([], "a", {""}),
        ([room("a", 80), room("b", 50)], "a", {"a"}),
        ([room("a", 91), room("b", 50)], "a", {"b"}),
        ([room("a", 0, models=10), room("b", 50)], "a", {"b"}),
        ([room("a", 91), room("b", 95)], "a", {""}),
        ([room("a", 10), room("b", 80), room("c", 50)], "", {"b", "c"}),
        ([room("a", 10), room("b", 10, models=8), room("c", 50)], "", {"b", "c"}),
    ],
)
def test_where_models_go(rooms, home, shards):
    assert drawn(rooms, home=home) == shards


def test_the_same_model_and_rooms_decide_the_same_again():
    rooms = [room(f"s{n}", n) for n in range(20)]
    assert placement.place(wanted(5), rooms) == placement.place(wanted(5), rooms[::-1])


def test_it_is_the_peak_that_must_fit():
    assert not room("a", 90).fits(footprint(5, peak=11))
    assert room("a", 90).fits(footprint(5, peak=10))


@pytest.mark.parametrize(("pool", "shard"), [("", "a"), ("gold", "b"), ("none", "")])
def test_a_place_is_inside_the_pool(pool, shard):
    rooms = [room("a", 50), room("b", 0, pool="gold")]
    assert drawn(rooms, pool=pool, home="a") == {shard}
    assert placement.home("acme", rooms, pool=pool) == (shard or None)


def test_a_shard_keeps_room_for_new_versions_while_another_has_room():
    tight = [room("a", 890, bound=1000), room("b", 0, bound=1000)]
    assert drawn(tight, size=100, home="a") == {"b"}
    assert drawn(tight, size=80, home="a") == {"a"}
    assert drawn(tight[:1], size=100, home="a") == {"a"}


def test_a_customer_does_not_take_too_much_of_one_shard_while_another_has_room():
    rooms = [room("a", 0, models=60, max_models=200), room("b", 0, max_models=200)]
    assert drawn(rooms, home="a", held={"a": 49}) == {"a"}
    assert drawn(rooms, home="a", held={"a": 50}) == {"b"}
    assert drawn(rooms[:1], home="a", held={"a": 50}) == {"a"}
    small = [room("a", 0, max_models=20), room("b", 0, max_models=20)]
    assert drawn(small, home="a", held={"a": SPREAD_MODELS - 1}) == {"a"}
    assert drawn(small, home="a", held={"a": SPREAD_MODELS}) == {"b"}


@pytest.mark.parametrize(
    ("load", "known", "bound", "fits"),
    [(10, 90, 100, True), (11, 90, 100, False), (None, 99, 100, True), (99, None, 100, True)],
)
def test_load_is_a_bound_where_it_is_known(load, known, bound, fits):
    there = room("a", 0, load=known, max_load=bound)
    assert bool(placement.place(wanted(1, load=load), [there]).shard) == fits
    assert (there.against(footprint(1), load) == "") == fits


def test_what_is_taken_is_counted_in_every_dimension():
    after = room("a", 10, load=1.0, max_load=10.0).taking(footprint(5), 2.5)
    assert (after.used_bytes, after.models, after.load) == (15, 1, 3.5)
    assert room("a", 10).taking(footprint(5), 2.5).load is None


@pytest.mark.parametrize(
    ("room", "fullness"),
    [
        (room("a", 50), 0.5),
        (room("a", 50, models=9), 0.9),
        (room("a", 50, load=95.0, max_load=100.0), 0.95),
        (room("a", 50, load=95.0), 0.5),
    ],
)
def test_a_shard_is_as_full_as_its_tightest_bound(room, fullness):
    assert room.fullness == fullness


@pytest.mark.parametrize(
    ("rooms", "homes"),
    [
        ([], {None}),
        ([room("a", 50), room("b", 10)], {"a", "b"}),
        ([room("a", 50), room("b", 10), room("c", 20)], {"a", "c"}),
        ([room("a", 91), room("b", 10)], {"b"}),
        ([room("a", 10, models=10), room("b", 50)], {"b"}),
        ([room("a", 92), room("b", 99)], {"a"}),
        ([room("a", 0, bound=0), room("b", 99)], {"b"}),
    ],
)
def test_new_customers_are_at_home_where_it_is_fullest_with_room_to_grow(rooms, homes):
    assert {placement.home(f"c{n}", rooms) for n in range(40)} == homes


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 120), st.integers(0, 12)), max_size=5),
    st.integers(0, 60),
    st.integers(0, 5),
    st.dictionaries(st.sampled_from("01234"), st.integers(0, 30)),
)
def test_a_place_is_never_over_a_bound(listed, size, home, held):
    rooms = [room(str(n), used, models=models) for n, (used, models) in enumerate(listed)]
    asked = Wanted("acme.a", footprint(size), home=str(home), held=held)
    chosen = placement.place(asked, rooms).shard
    fitting = {r.shard for r in rooms if r.used_bytes + size <= 100 and r.models < 10}
    assert chosen in fitting if fitting else chosen == ""


ROOMS = [room("a", 95), room("b", 50), room("c", 80), room("d", 0, models=10)]


@pytest.mark.parametrize(
    ("home", "size", "shards", "reason"),
    [
        ("b", 10, "b", "its customer is at home there"),
        ("a", 10, "bc", "drawn from the 2 fullest of 2 shards with room"),
        ("a", 48, "b", "no other shard has room"),
        ("a", 60, "", "none of 4 shards has room"),
    ],
)
def test_a_decision_says_why_and_what_else_was_looked_at(home, size, shards, reason):
    found = placement.place(wanted(size, home=home), ROOMS)
    assert found.reason == reason
    assert found.shard in shards
    assert (found.needs_bytes, found.looked_at, found.home) == (size, 4, home)
    against = {choice.shard: choice.against for choice in found.choices}
    assert against["a"] == f"it would hold {95 + size - 100} bytes too many"
    assert against["d"] == "it has 10 of 10 models"
    chosen = [choice.shard for choice in found.choices if not choice.against][:1]
    assert chosen == ([found.shard] if found.shard else [])
    assert {(c.used_bytes, c.models) for c in found.choices if c.shard == "b"} == {(50, 0)}


def test_a_decision_says_which_wish_spoke_against_a_shard():
    rooms = [room("a", 85), room("b", 50), room("c", 20)]
    found = placement.place(wanted(14, home="a", held={"b": 10}), rooms)
    assert {c.shard: c.against for c in found.choices} == {
        "a": "it would keep no more than 1 bytes free",
        "b": "it has 10 models of this customer",
        "c": "",
    }


def test_a_decision_is_bounded_and_keeps_what_came_nearest():
    rooms = [room(f"s{n:03}", n) for n in range(100)]
    found = placement.place(wanted(10), rooms)
    assert found.looked_at == 100
    assert found.shard in ("s088", "s087")
    rest = [choice.shard for choice in found.choices[1:]]
    assert rest == [f"s{n:03}" for n in range(88, 79, -1) if f"s{n:03}" != found.shard][:7]


def test_needed_bytes_count_the_largest_loads_in_parallel():
    listed = [footprint(10, 10 + growth) for growth in range(1, 11)]
    assert placement.needed_bytes([]) == BASE_BYTES
    assert placement.needed_bytes(listed) == BASE_BYTES + 100 + sum(range(3, 11))
