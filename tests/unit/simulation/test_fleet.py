"""The simulated fleet is Berth: a small burst is served, and a second run is the same to the bit."""

import pytest
import structlog

from berth.app import observing
from tests.simulation import burst, kernel


@pytest.fixture(autouse=True)
def _pools_of_its_own(monkeypatch):
    for module in kernel.pooling():
        monkeypatch.setattr(module, "ThreadPoolExecutor", module.ThreadPoolExecutor)
    yield
    structlog.reset_defaults()


def test_a_burst_is_served_whole_and_the_same_again():
    first = burst.run(3, room=True)
    assert observing.ThreadPoolExecutor is kernel.Pool
    assert (first.lost, first.refused, first.retried) == (0, 0, {})
    assert first.bound < first.all < 60
    assert burst.run(3, room=True) == first
