"""Replicas that start at any moment, a share of the moments: `make reliability` tries all of them."""

import pytest

from berth.domain.observation import Observation
from tests.reliability import starts
from tests.reliability.speed import fast


@pytest.mark.parametrize("story", starts.STORIES)
def test_whoever_is_ready_has_all_that_is_announced(story):
    with fast():
        result = starts.run(story, every=150, skip=7)
    assert result.failures == []
    assert result.moments > 0
    assert result.looks > 10
    assert result.whole == result.tried


def test_a_replica_that_lacks_what_is_announced_is_found(monkeypatch):
    monkeypatch.setattr(Observation, "quorum", property(lambda self: True))
    monkeypatch.setattr("berth.domain.rollout._everywhere", lambda name, wanted, seen: True)
    with fast():
        result = starts.run("a second version", every=30)
    assert any("is ready without acme.digits/2" in line for line in result.failures)
