"""Which versions are held back, which are tried again, and for how long that is remembered."""

from dataclasses import replace

import pytest

from berth.domain import quarantines
from berth.domain.observation import VersionStatus
from berth.domain.shard_status import Quarantine, VersionRecord
from tests.support.shards import AVAILABLE, NAME, NOW, ago, config, pod, record, seen

HICCUP = VersionStatus("END", 14, "storage hiccup")
HELD = Quarantine(reason="hiccup", transient=True, attempts=1)
TRIED_AGAIN = HELD.model_copy(update={"active": False})


def look(**changes):
    """Version 2 hiccuped, and no config names it any more."""
    given = {"live": config(digits=(1,)), "report": {NAME: {1: AVAILABLE, 2: HICCUP}}}
    return seen(**{**given, **changes})


def active(made, held=HELD):
    return quarantines.judged(NAME, made, record(1, quarantined={2: held}))[2].active


def test_a_version_comes_again_once_every_server_let_go():
    assert not active(look())


@pytest.mark.parametrize(
    "made",
    [
        look(told_ago=2),
        look(live=config(digits=(1, 2))),
        look(report={NAME: {2: VersionStatus("UNLOADING")}}),
        look(untold=("p1",), pods=(pod(1, started=4000), pod(2))),
        replace(look(), reports={"u2/0": {}}),
    ],
    ids=["told a moment ago", "still named", "still going", "not told", "silent"],
)
def test_it_does_not_before(made):
    assert active(made)


def test_what_ended_a_process_waits_until_no_replica_is_missing():
    alone = HELD.model_copy(update={"alone": True})
    assert active(look(pods=(pod(1), pod(2, ready=False))), alone)
    assert not active(look(pods=(pod(1), pod(2, ready=False))))
    assert not active(look(), alone)


def serving_for(seconds, held=TRIED_AGAIN):
    versions = {2: VersionRecord(state="SERVING", since=ago(seconds).isoformat())}
    return record(2, quarantined={2: held}, versions=versions)


@pytest.mark.parametrize(
    ("known", "wanted", "left"),
    [
        (serving_for(599), (2,), {2}),
        (serving_for(601), (2,), set()),
        (serving_for(601, HELD), (2,), {2}),
        (serving_for(5), (3,), set()),
        (serving_for(5, HELD), (3,), {2}),
        (record(1, quarantined={2: TRIED_AGAIN}), (2,), {2}),
    ],
    ids=["on probation", "proven", "held", "unwanted", "held and unwanted", "not yet announced"],
)
def test_what_a_version_did_is_held_against_it_until_it_has_served(known, wanted, left):
    assert set(quarantines.remembered(known, wanted, NOW).quarantined) == left
