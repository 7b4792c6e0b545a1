"""One replica is told first what none has proven."""

from dataclasses import replace

import pytest

from berth.domain import pilot
from berth.domain.observation import VersionStatus
from berth.domain.shard_status import Told
from tests.support.shards import AVAILABLE, NAME, ago, config, pod, projection, seen

LIVE = config(60, 2, digits=(1, 2))
BOOT = config(digits=(1,))
LOADING = VersionStatus("LOADING")


def look(second=None, **more):
    """Version 2 is unproven; the second replica is told nothing of it unless said."""
    given = {"projections": {NAME: projection(1, 2)}, "boot": BOOT, "live": LIVE, "untold": ("p2",)}
    made = seen(**{**given, **more})
    if second is not None:
        told = {**made.told, "u2/0": Told(digest=second, at=ago(30).isoformat())}
        made = replace(made, told=told)
    return made


def told(made):
    return {p.name: c.entries[NAME].versions for p, c in pilot.untold(made)}


def test_of_an_unproven_config_one_replica_is_told():
    made = look(report={NAME: {1: AVAILABLE}})
    assert [p.name for p in pilot.first(made, boot=BOOT.text, live=LIVE.text)] == ["p1"]
    both = config(digits=(1, 2))
    assert [p.name for p in pilot.first(made, boot=both.text, live=LIVE.text)] == ["p1", "p2"]


def test_the_replica_that_is_the_pilot_stays_it():
    made = look(report={NAME: {1: AVAILABLE}}, untold=("p1",))
    assert [p.name for p in pilot.first(made, boot=BOOT.text, live=LIVE.text)] == ["p2"]


def test_the_others_are_told_what_is_proven_until_the_pilot_has_the_rest():
    assert told(look("of old", report={NAME: {1: AVAILABLE, 2: LOADING}})) == {"p2": (1,)}
    assert told(look(BOOT.digest, report={NAME: {1: AVAILABLE, 2: LOADING}})) == {}
    assert told(look(BOOT.digest, report={NAME: {1: AVAILABLE, 2: AVAILABLE}})) == {"p2": (1, 2)}
    assert told(look(LIVE.digest, report={NAME: {1: AVAILABLE, 2: AVAILABLE}})) == {}


@pytest.mark.parametrize(
    ("pilots", "expected"),
    [
        ({"ready": False}, {}),  # it was told, and is away
        ({"ready": False, "terminating": True}, {"p2": (1, 2)}),
    ],
)
def test_the_role_passes_on_only_when_the_end_of_the_pilot_is_known(pilots, expected):
    made = look(BOOT.digest, report={NAME: {1: AVAILABLE}}, pods=(pod(1), pod(2)))
    away = replace(made.workload, pods=(pod(1, **pilots), pod(2)))
    gone = replace(made, workload=away)
    assert told(gone) == expected
    later = replace(gone, live=replace(LIVE, updated=ago(180)))
    assert told(later) == {"p2": (1, 2)}
