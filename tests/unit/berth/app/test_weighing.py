"""Scales: asked once a minute, a spike does not count, what is unknown is not there."""

from dataclasses import replace

import pytest

from berth.adapters.memory import MemoryClock
from berth.adapters.memory_workloads import MemoryWorkloads
from berth.app.weighing import Scales
from berth.domain.errors import Denied, Unavailable
from tests.support.shards import pod

PODS = (pod(1), pod(2))


class Figures:
    """A cluster that has figures and counts who asks."""

    def __init__(self):
        self.asked, self.now, self.error = 0, {"p1": 100, "p2": 200}, None

    def usage(self, shard):
        self.asked += 1
        if self.error:
            raise self.error
        return dict(self.now)


@pytest.fixture
def figures():
    return Figures()


@pytest.fixture
def clock():
    return MemoryClock()


@pytest.fixture
def scales(figures, clock):
    return Scales(figures, clock)


def test_the_first_figures_alone_say_nothing(scales):
    assert scales.held("s", PODS) == {}


def test_the_lesser_of_two_in_a_row_counts(scales, figures, clock):
    scales.held("s", PODS)
    figures.now = {"p1": 90, "p2": 900}
    clock.advance(60)
    assert scales.held("s", PODS) == {"u1/0": 90, "u2/0": 200}
    clock.advance(60)
    assert scales.held("s", PODS) == {"u1/0": 90, "u2/0": 900}


def test_they_are_asked_for_once_a_minute(scales, figures, clock):
    for _ in range(10):
        scales.held("s", PODS)
        clock.advance(5)
    assert figures.asked == 1
    clock.advance(5)
    first = scales.held("s", PODS)
    assert figures.asked == 2
    assert scales.held("s", PODS) == first
    assert figures.asked == 2


def test_each_shard_has_figures_of_its_own(scales, figures):
    scales.held("s", PODS)
    scales.held("t", PODS)
    assert figures.asked == 2


def test_a_shard_without_pods_is_not_asked_about(scales, figures):
    assert scales.held("s", ()) == {}
    assert figures.asked == 0


def test_a_figure_of_the_run_before_does_not_count(scales, figures, clock):
    scales.held("s", PODS)
    clock.advance(60)
    again = (replace(PODS[0], restarts=1), PODS[1])
    assert scales.held("s", again) == {"u2/0": 200}


def test_a_pod_without_a_figure_has_none(scales, figures, clock):
    scales.held("s", PODS)
    del figures.now["p1"]
    clock.advance(60)
    assert scales.held("s", PODS) == {"u2/0": 200}


@pytest.mark.parametrize("error", [Unavailable, Denied])
def test_unknown_figures_are_none_and_stop_nothing(scales, figures, clock, error):
    scales.held("s", PODS)
    figures.error = error("induced")
    clock.advance(60)
    assert scales.held("s", PODS) == {}
    figures.error = None
    clock.advance(60)
    assert scales.held("s", PODS) == {}, "two in a row"
    clock.advance(60)
    assert scales.held("s", PODS) == {"u1/0": 100, "u2/0": 200}


def test_the_twin_answers_as_the_cluster_does(clock):
    assert Scales(MemoryWorkloads(clock), clock).held("s", ()) == {}
