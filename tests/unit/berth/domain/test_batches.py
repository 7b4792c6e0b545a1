"""Which loads begin together."""

from datetime import timedelta

import pytest

from berth.domain import batches
from berth.domain.batches import BATCH, Load
from tests.support.shards import NOW


def load(name, seconds=0.1, *, waited=0, alone=False, number=1):
    return Load(name, number, seconds, NOW - timedelta(seconds=waited), alone)


def begun(waiting, loading=(), **more):
    return sorted(name for name, _ in batches.begin(waiting, loading, now=NOW, **more))


@pytest.mark.parametrize(
    ("waiting", "loading", "expected"),
    [
        ([], [], []),
        ([load("a"), load("b")], [], ["a", "b"]),
        ([load("a"), load("slow", 60)], [], ["a"]),
        ([load("a"), load("slow", 60, waited=241)], [], ["slow"]),
        ([load("a"), load("slow", 60, waited=240)], [], ["a"]),
        ([load("a"), load("slow", 3, waited=31)], [], ["slow"]),
        ([load("a"), load("slow", 3, waited=30)], [], ["a"]),
        ([load("s3", 5), load("s1", 3), load("s2", 4)], [], ["s1", "s2"]),
        ([load("s2", 4), load("s3", 5)], [load("s1", 3)], ["s2"]),
        ([load("s3", 5)], [load("s1", 3), load("s2", 4)], []),
        ([load("a")], [load("s1", 3), load("s2", 4)], ["a"]),
        ([load("a", 2.0), load("b", 2.1)], [], ["a"]),
        ([load("x", alone=True), load("y", alone=True)], [], ["x"]),
        ([load("x", alone=True), load("a")], [], ["a"]),
        ([load("x", alone=True)], [load("a")], []),
        ([load("a")], [load("x", alone=True)], []),
    ],
)
def test_which_loads_begin(waiting, loading, expected):
    assert begun(waiting, loading) == expected


def test_a_batch_is_bounded_and_takes_the_quickest():
    many = [load(f"m{n:03}", 1 - n / 1000) for n in range(BATCH + 20)]
    assert begun(many) == [f"m{n:03}" for n in range(20, BATCH + 20)]


def test_while_a_suspect_is_on_trial_no_other_suspect_begins_and_others_do():
    suspect = load("x", alone=True)
    assert begun([suspect], trial=True) == []
    assert begun([suspect, load("a")], trial=True) == ["a"]


def test_what_does_not_begin_is_held():
    waiting = [load("a", number=3), load("a", number=4), load("b")]
    assert batches.held(frozenset({("a", 3)}), waiting) == {
        "a": frozenset({4}),
        "b": frozenset({1}),
    }
