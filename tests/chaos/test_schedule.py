"""A schedule kills every part, spaced, the same for the same seed."""

import itertools

import pytest

from tests.chaos import killer, schedule


@pytest.mark.parametrize("seed", range(20))
def test_every_part_is_killed_at_least_once_and_kills_are_apart(seed):
    kills = schedule.draw(seed, 60)
    assert {kill.target for kill in kills} == set(schedule.EVERYTHING)
    pause = 60 / len(kills)
    gaps = [b.at - a.at for a, b in itertools.pairwise(kills)]
    assert min(gaps) >= pause / 2 - 0.02
    assert 0 <= kills[0].at <= kills[-1].at <= 60


def test_a_seed_draws_the_same_kills_and_another_seed_others():
    assert schedule.draw(1, 60) == schedule.draw(1, 60)
    assert schedule.draw(1, 60) != schedule.draw(2, 60)


def test_a_part_is_away_from_its_end_until_it_is_ready_again():
    said = ["etcd (pid 7) ended: SIGKILL; end of etcd.log:", "etcd: starting it again"]
    assert killer.away("\n".join(said)) == {"etcd"}
    assert killer.away("\n".join([*said, "etcd: ready again"])) == set()
    assert killer.away("\n".join([*said, "etcd: ready again", said[0]])) == {"etcd"}
