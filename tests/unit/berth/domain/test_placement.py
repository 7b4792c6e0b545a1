"""Placement: home first, best fit, never over a bound."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from berth.domain import placement
from berth.domain.documents import Footprint
from berth.domain.placement import BASE_BYTES, Room

FIRST = lambda n: 0  # noqa: E731
LAST = lambda n: n - 1  # noqa: E731


def room(shard, used, bound=100, models=0, max_models=10):
    return Room(shard, models, max_models, used, bound)


def footprint(resident, peak=0):
    return Footprint(resident_bytes=resident, peak_bytes=max(peak, resident), load_seconds=1)


@pytest.mark.parametrize(
    ("rooms", "home", "draw", "shard"),
    [
        ([], "a", FIRST, ""),
        ([room("a", 90), room("b", 50)], "a", FIRST, "a"),
        ([room("a", 91), room("b", 50)], "a", FIRST, "b"),
        ([room("a", 0, models=10), room("b", 50)], "a", FIRST, "b"),
        ([room("a", 91), room("b", 95)], "a", FIRST, ""),
        ([room("a", 10), room("b", 80), room("c", 50)], "", FIRST, "b"),
        ([room("a", 10), room("b", 80), room("c", 50)], "", LAST, "c"),
        ([room("b", 50), room("a", 50)], "", FIRST, "a"),
    ],
)
def test_where_a_model_goes(rooms, home, draw, shard):
    assert placement.place(footprint(10), rooms, home=home, draw=draw).shard == shard


def test_it_is_the_peak_that_must_fit():
    assert not room("a", 90).fits(footprint(5, peak=11))
    assert room("a", 90).fits(footprint(5, peak=10))


@pytest.mark.parametrize(
    ("rooms", "shard"),
    [
        ([], None),
        ([room("a", 50), room("b", 10)], "b"),
        ([room("a", 10, models=9), room("b", 50)], "b"),
        ([room("a", 0, bound=0), room("b", 99)], "b"),
    ],
)
def test_a_new_customer_is_at_home_where_it_is_emptiest(rooms, shard):
    assert placement.home(rooms, draw=FIRST) == shard


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 120), st.integers(0, 12)), max_size=5),
    st.integers(0, 60),
    st.integers(0, 5),
    st.sampled_from([FIRST, LAST]),
)
def test_a_place_is_never_over_a_bound(listed, size, home, draw):
    rooms = [room(str(n), used, models=models) for n, (used, models) in enumerate(listed)]
    chosen = placement.place(footprint(size), rooms, home=str(home), draw=draw).shard
    fitting = {r.shard for r in rooms if r.used_bytes + size <= 100 and r.models < 10}
    assert chosen in fitting if fitting else chosen == ""


ROOMS = [room("a", 95), room("b", 50), room("c", 80), room("d", 0, models=10)]


@pytest.mark.parametrize(
    ("home", "size", "shard", "reason"),
    [
        ("b", 10, "b", "its customer is at home there"),
        ("a", 10, "c", "drawn from the 2 fullest of 2 shards with room"),
        ("a", 50, "b", "no other shard has room"),
        ("a", 60, "", "none of 4 shards has room"),
    ],
)
def test_a_decision_says_why_and_what_else_was_looked_at(home, size, shard, reason):
    found = placement.place(footprint(1, peak=size), ROOMS, home=home, draw=FIRST)
    assert (found.shard, found.reason) == (shard, reason)
    assert (found.needs_bytes, found.looked_at) == (size, 4)
    against = {choice.shard: choice.against for choice in found.choices}
    assert against["a"] == f"it would hold {95 + size - 100} bytes too many"
    assert against["d"] == "it has 10 of 10 models"
    assert [choice.shard for choice in found.choices if not choice.against][:1] == [shard] * bool(
        shard
    )
    assert {(c.used_bytes, c.models) for c in found.choices if c.shard == "b"} == {(50, 0)}


def test_a_decision_is_bounded_and_keeps_what_came_nearest():
    rooms = [room(f"s{n:03}", n) for n in range(100)]
    found = placement.place(footprint(10), rooms, home="", draw=FIRST)
    assert found.looked_at == 100
    assert [choice.shard for choice in found.choices] == [f"s{n:03}" for n in range(90, 82, -1)]


def test_needed_bytes_count_the_largest_loads_in_parallel():
    listed = [footprint(10, 10 + growth) for growth in range(1, 11)]
    assert placement.needed_bytes([]) == BASE_BYTES
    assert placement.needed_bytes(listed) == BASE_BYTES + 100 + sum(range(3, 11))
