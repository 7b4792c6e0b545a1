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


def judged(made, known=None):
    return quarantines.judged(NAME, made, known or record(1))


def ended(status, other=None, **changes):
    """Version 2 is named, and ended on the first replica; what the second says of it."""
    given = {"live": config(digits=(1, 2)), **changes}
    said = {"u1/0": {NAME: {1: AVAILABLE, 2: status}}}
    said["u2/0"] = {NAME: {1: AVAILABLE} | ({2: other} if other else {})}
    return replace(seen(**given), reports=said)


def test_a_version_that_ended_in_error_is_held_with_the_reason():
    made = judged(ended(VersionStatus("END", 3, "corrupt " + "x" * 500)))
    reason = "failed to load on a replica: corrupt " + "x" * 392
    assert made == {2: Quarantine(reason=reason, transient=False, attempts=1)}


@pytest.mark.parametrize("code", range(1, 17))
def test_what_may_have_been_a_hiccup_is_tried_again(code):
    hiccups = {1, 2, 4, 5, 10, 13, 14}
    assert judged(ended(VersionStatus("END", code)))[2].transient is (code in hiccups)


def test_of_two_replicas_the_first_is_quoted():
    made = judged(ended(VersionStatus("END", 3, "one"), VersionStatus("END", 14, "two")))
    assert made[2].reason == "failed to load on a replica: one"


@pytest.mark.parametrize(
    "made",
    [
        ended(VersionStatus("END", 3), live=config(digits=(1,))),
        ended(VersionStatus("END", 3), live=config(other=(2,))),
        ended(VersionStatus("LOADING", 3)),
        ended(VersionStatus("END", 0)),
        ended(VersionStatus("END", 3), told_ago=2),
        ended(VersionStatus("END", 3), untold=("p1",), pods=(pod(1, started=4000), pod(2))),
        ended(VersionStatus("END", 3), pods=(pod(1, ready=False), pod(2))),
        replace(ended(VersionStatus("END", 3)), reports={}),
    ],
    ids=["unnamed", "another", "loading", "let go", "just told", "not told", "away", "silent"],
)
def test_nothing_else_is_held(made):
    assert judged(made) == {}


def test_an_end_counts_as_soon_as_a_sweep_has_passed():
    assert judged(ended(VersionStatus("END", 3), told_ago=3))
    assert not active(look(told_ago=3))


def test_a_replica_that_booted_with_the_config_was_not_told_and_counts():
    boot = config(digits=(1, 2))
    made = ended(VersionStatus("END", 3), boot=boot, untold=("p1", "p2"))
    assert judged(replace(made, told={}))


def test_one_replica_that_was_told_a_moment_ago_hides_no_other():
    made = ended(VersionStatus("LOADING"), VersionStatus("END", 3))
    just_now = made.told["u1/0"].model_copy(update={"at": ago(1).isoformat()})
    assert judged(replace(made, told={**made.told, "u1/0": just_now}))


def test_attempts_are_counted_and_an_active_quarantine_stays_as_it_is():
    made = ended(VersionStatus("END", 14, "again"))
    tried = record(1, quarantined={2: TRIED_AGAIN})
    assert judged(made, tried)[2] == Quarantine(
        reason="failed to load on a replica: again", transient=True, attempts=2
    )
    assert judged(made, record(1, quarantined={2: HELD}))[2] == HELD


def test_the_third_attempt_is_the_last_and_a_broken_model_has_one():
    assert not active(look(), HELD.model_copy(update={"attempts": 2}))
    assert active(look(), HELD.model_copy(update={"attempts": 3}))
    assert active(look(), HELD.model_copy(update={"transient": False}))


def test_a_version_that_comes_again_keeps_what_is_known_of_it():
    known = record(1, quarantined={2: HELD})
    assert judged(look(), known) == {2: TRIED_AGAIN}


def test_where_a_server_forgot_a_version_or_there_is_no_live_config():
    assert not active(look(report={NAME: {1: AVAILABLE}}))
    assert not active(look(report={}))
    assert active(replace(look(), live=None))


def test_a_version_of_another_servable_may_be_named():
    assert not active(look(live=config(other=(2,))))


def test_what_has_served_exactly_its_probation_is_still_on_it():
    left = quarantines.remembered(serving_for(600), (2,), NOW).quarantined
    assert left == {2: TRIED_AGAIN}


@pytest.mark.parametrize(
    ("held", "out"),
    [
        (HELD, set()),
        (HELD.model_copy(update={"alone": True}), {2}),
        (HELD.model_copy(update={"alone": True, "active": False}), set()),
    ],
)
def test_only_what_ends_processes_is_withdrawn(held, out):
    assert quarantines.withdrawn({2: held}) == out
