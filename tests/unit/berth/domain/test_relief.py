"""Relief: enough, for the fewest bytes, and not one model too many."""

from hypothesis import given, settings
from hypothesis import strategies as st

from berth.domain import placement, relief
from berth.domain.footprint import Footprint


def size(resident, peak=0):
    return Footprint(resident_bytes=resident, peak_bytes=max(resident, peak), load_seconds=0)


def sizes(*resident):
    return {f"m{number}": size(bytes_) for number, bytes_ in enumerate(resident)}


def chosen(held, excess, models=0, able=None):
    free = set(held) if able is None else able
    return relief.chosen(held, free, excess_bytes=excess, excess_models=models)


def test_one_model_that_is_just_enough_goes_alone():
    assert chosen(sizes(100, 50, 30, 10), 30) == ("m2",)


def test_larger_ones_first_as_long_as_they_are_not_too_much():
    assert set(chosen(sizes(100, 50, 30, 10), 80)) == {"m1", "m2"}


def test_the_smallest_that_is_enough_where_all_are_larger():
    assert chosen(sizes(100, 50, 60), 10) == ("m1",)


def test_what_needs_much_more_while_it_loads_helps_most():
    held = {**sizes(100, 100), "greedy": size(100, 400)}
    assert chosen(held, 300) == ("greedy",)


def test_too_many_models_lose_their_smallest():
    assert set(chosen(sizes(50, 10, 30, 20), 0, models=2)) == {"m1", "m3"}


def test_what_cannot_leave_stays_and_what_can_helps():
    assert chosen(sizes(100, 50, 30), 500, able={"m1", "m2"}) == ("m1", "m2")
    assert chosen(sizes(100), 50, able=set()) == ()


FOOTPRINTS = st.builds(
    lambda resident, growth: size(resident, resident + growth),
    st.integers(1, 1000),
    st.one_of(st.just(0), st.integers(0, 2000)),
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(FOOTPRINTS, min_size=1, max_size=14), st.integers(0, 4000), st.integers(0, 5))
def test_bytes_moved_are_less_than_the_excess_and_the_smallest_moved(listed, excess, models):
    held = {f"m{number}": one for number, one in enumerate(listed)}
    moved = chosen(held, excess, models)
    assert len(moved) == len(set(moved))
    left = [one for name, one in held.items() if name not in moved]
    helped = placement.needed_bytes(held.values()) - placement.needed_bytes(left)
    assert (helped >= excess and len(moved) >= models) or len(moved) == len(held)
    if excess or models:
        bytes_ = [held[name].resident_bytes for name in moved]
        if len(moved) > models:
            assert sum(bytes_) < excess + min(bytes_)
        for name in moved if helped >= excess and len(moved) >= models else ():
            without = [one for other, one in held.items() if other not in moved or other == name]
            less = placement.needed_bytes(held.values()) - placement.needed_bytes(without)
            assert less < excess or len(moved) - 1 < models
    else:
        assert moved == ()
