"""Any order, any repetition, any interleaving: one end. `make reliability` tries many more."""

import os
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.reliability import orders, stories
from tests.reliability.bytes import TOLD
from tests.reliability.speed import fast

NAMES = st.frozensets(st.sampled_from(orders.SOMETIMES)).map(
    lambda some: some | {*orders.ALWAYS} | ({"sign up again"} if "close" in some else set())
)
ORDER = st.lists(st.integers(0, 63), max_size=40)
BETWEEN = st.dictionaries(st.integers(0, 40), st.sampled_from(orders.DISTURBANCES), max_size=6)
UNHURRIED = {
    "deadline": None,
    "derandomize": True,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large],
}


@settings(max_examples=60, **UNHURRIED)
@given(NAMES, ORDER, BETWEEN)
def test_events_in_any_order_and_number_come_to_one_end(names, order, between):
    with fast():
        assert orders.permuted(names, order, between) == []


@pytest.mark.parametrize("name", orders.INTERLEAVED)
@settings(max_examples=5, **UNHURRIED)
@given(turns=st.lists(st.integers(0, 2), min_size=10, max_size=400))
def test_deliveries_interleaved_call_by_call_come_to_one_end(name, turns):
    left = iter(turns)
    with fast():
        story = stories.BY_NAME[name]
        assert orders.interleaved(story, lambda alive: next(left, 0) % alive) == []


def test_the_same_bytes_under_several_hash_seeds():
    told = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.reliability.bytes"],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": "shared:."},
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in ("0", "1", "31337")
    ]
    said = {process.communicate(timeout=120)[0] for process in told}
    assert [process.returncode for process in told] == [0, 0, 0]
    assert len(said) == 1
    assert said.pop().count("\n") == len(TOLD)
