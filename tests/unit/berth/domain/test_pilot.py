"""One replica is told first what none has proven."""

from dataclasses import replace

import pytest

from berth.domain import pilot
from berth.domain.observation import Exit, VersionStatus
from berth.domain.shard_status import Told
from tests.support.shards import AVAILABLE, NAME, ago, config, pod, projection, seen

LIVE = config(60, 2, digits=(1, 2))
BOOT = config(digits=(1,))
LOADING = VersionStatus("LOADING")
BROKEN = VersionStatus("END", 3, "corrupt")


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


def test_where_no_replica_runs_the_live_config_the_first_is_told_it():
    made = look("of old", report={NAME: {1: AVAILABLE}}, untold=("p1", "p2"))
    assert told(made) == {"p1": (1, 2), "p2": (1,)}


def test_where_another_runs_the_live_config_the_first_is_told_what_is_proven():
    made = look(report={NAME: {1: AVAILABLE, 2: LOADING}}, untold=("p1",))
    made = replace(made, told={**made.told, "u1/0": Told(digest="old", at=ago(30).isoformat())})
    assert told(made) == {"p1": (1,)}


def test_a_serving_replica_whose_push_did_not_end_is_told_again():
    made = look("of old", report={NAME: {1: AVAILABLE}})
    unsettled = {**made.told, "u1/0": Told(digest="", at=ago(30).isoformat())}
    assert told(replace(made, told=unsettled)) == {"p1": (1, 2), "p2": (1,)}


UNLOADED = VersionStatus("END")


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        ({NAME: {1: AVAILABLE, 2: BROKEN}}, "p2"),
        ({NAME: {1: AVAILABLE, 2: UNLOADED}}, "p1"),
        ({NAME: {1: BROKEN, 2: LOADING}}, "p1"),  # of what is proven
        ({NAME: {1: AVAILABLE}}, "p1"),
        ({}, "p1"),
        (None, "p1"),
    ],
    ids=["ended in error", "let go", "another version", "not told", "knows nothing", "silent"],
)
def test_the_pilot_is_one_on_which_it_did_not_end_in_error(says, expected):
    made = look(report={NAME: {1: AVAILABLE}})
    reports = {"u1/0": says, "u2/0": {NAME: {1: AVAILABLE}}}
    made = replace(made, reports={key: said for key, said in reports.items() if said is not None})
    assert [p.name for p in pilot.first(made, boot=BOOT.text, live=LIVE.text)] == [expected]


AWAY = {"ready": False}
RESTARTED = {"ready": False, "restarts": 1}


@pytest.mark.parametrize(
    ("pilots", "digest", "expected"),
    [
        (AWAY, LIVE.digest, {}),
        (AWAY, "", {}),  # it is not known whether it took it
        (AWAY, "of old", {"p2": (1, 2)}),
        (AWAY, None, {"p2": (1, 2)}),
        (RESTARTED, LIVE.digest, {}),  # the run that ended was told
        (RESTARTED, None, {"p2": (1, 2)}),
    ],
)
def test_a_replica_is_waited_for_if_it_may_have_been_told(pilots, digest, expected):
    made = look(BOOT.digest, report={NAME: {1: AVAILABLE}})
    known = {key: one for key, one in made.told.items() if key != "u1/0"}
    if digest is not None:
        known["u1/0"] = Told(digest=digest, at=ago(30).isoformat())
    workload = replace(made.workload, pods=(pod(1, **pilots), pod(2)))
    assert told(replace(made, workload=workload, told=known)) == expected


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
    assert told(replace(gone, live=replace(LIVE, updated=ago(179)))) == expected
    later = replace(gone, live=replace(LIVE, updated=ago(180)))
    assert told(later) == {"p2": (1, 2)}


@pytest.mark.parametrize(
    ("other", "waits"),
    [
        ({"started": 30}, True),
        ({"restarts": 1, "exit": Exit(139, "Error", ago(30)), "started_at": None}, True),
        ({"started": 179}, True),
        ({"started": 180}, False),  # it does not become ready
        ({"started": 30, "terminating": True}, False),  # it does not come back
    ],
)
def test_the_last_one_that_serves_is_no_pilot_while_another_is_on_its_way(other, waits):
    report = {NAME: {1: AVAILABLE}}
    made = look(report=report, pods=(pod(1), pod(2, ready=False, **other)), untold=("p1",))
    pilots = [p.name for p in pilot.first(made, boot=BOOT.text, live=LIVE.text)]
    assert pilots == ([] if waits else ["p1"])
    assert told(made) == ({} if waits else {"p1": (1, 2)})


def test_what_is_proven_the_last_one_is_told_at_once():
    made = look(pods=(pod(1), pod(2, started=30, ready=False)))
    assert [p.name for p in pilot.first(made, boot=LIVE.text, live=LIVE.text)] == ["p1"]
