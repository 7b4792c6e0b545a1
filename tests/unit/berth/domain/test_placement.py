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
        ([], "a", FIRST, None),
        ([room("a", 90), room("b", 50)], "a", FIRST, "a"),
        ([room("a", 91), room("b", 50)], "a", FIRST, "b"),
        ([room("a", 0, models=10), room("b", 50)], "a", FIRST, "b"),
        ([room("a", 91), room("b", 95)], "a", FIRST, None),
        ([room("a", 10), room("b", 80), room("c", 50)], "", FIRST, "b"),
        ([room("a", 10), room("b", 80), room("c", 50)], "", LAST, "c"),
        ([room("b", 50), room("a", 50)], "", FIRST, "a"),
    ],
)
def test_where_a_model_goes(rooms, home, draw, shard):
    assert placement.place(footprint(10), rooms, home=home, draw=draw) == shard


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
    chosen = placement.place(footprint(size), rooms, home=str(home), draw=draw)
    fitting = {r.shard for r in rooms if r.used_bytes + size <= 100 and r.models < 10}
    assert chosen in fitting if fitting else chosen is None


def test_needed_bytes_count_the_largest_loads_in_parallel():
    listed = [footprint(10, 10 + growth) for growth in range(1, 11)]
    assert placement.needed_bytes([]) == BASE_BYTES
    assert placement.needed_bytes(listed) == BASE_BYTES + 100 + sum(range(3, 11))
