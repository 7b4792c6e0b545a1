"""What an end of a server's process says of the versions it was told."""

from dataclasses import replace
from datetime import timedelta

import pytest

from berth.domain import deaths
from berth.domain.observation import Exit
from berth.domain.shard_status import Quarantine, Told, VersionRecord
from tests.support.shards import NAME, ago, config, pod, projection, record, seen

LIVE = config(60, 2, digits=(1, 2))
BOOT = config(digits=(1,))
OOM = Exit(137, "OOMKilled", ago(30))
SEGV = Exit(139, "Error", ago(30))
KILLED = Exit(137, "Error", ago(30))
BOOT_FAILED = Exit(255, "Error", ago(30))


def loading(exit_, *, told=None, judged=(), restarts=1, **more):
    """One replica's run ended; version 2 is in the live config and in no boot config."""
    dead = pod(1, restarts=restarts, exit=exit_, ready=False)
    given = {
        "projections": {NAME: projection(1, 2)},
        "boot": BOOT,
        "live": LIVE,
        "records": {NAME: record(1)},
        "pods": (dead, pod(2)),
    }
    made = seen(**{**given, **more})
    known = {**made.told} | ({f"u1/{restarts - 1}": told} if told else {})
    status = made.status.model_copy(update={"deaths": judged})
    return replace(made, told=known, status=status)


def accused(made):
    return {
        (name, n): (held.attempts, held.transient)
        for name, numbers in deaths.judge(made).suspects.items()
        for n, held in numbers.items()
    }


def attempted(digest=LIVE.digest):
    return Told(digest=digest, at=ago(40).isoformat())


@pytest.mark.parametrize("exit_", [OOM, SEGV])
@pytest.mark.parametrize("told", [None, attempted(), attempted("")])
def test_a_crash_after_the_push_speaks_against_what_was_to_be_loaded(exit_, told):
    assert accused(loading(exit_, told=told)) == {(NAME, 2): (1, True)}


@pytest.mark.parametrize(
    "made",
    [
        loading(replace(SEGV, code=0), told=attempted()),
        loading(replace(SEGV, code=143), told=attempted()),
        loading(replace(SEGV, at=ago(61)), told=attempted()),
        loading(SEGV, told=attempted("another config")),
        loading(KILLED),
        loading(BOOT_FAILED),
        loading(SEGV, live=config(60, 2, digits=(1,))),
        loading(Exit(137, "ContainerStatusUnknown", ago(30)), told=attempted()),
    ],
    ids=[
        "ended well",
        "told to end",
        "before the push",
        "told another",
        "killed",
        "boot",
        "proven",
        "unseen",
    ],
)
def test_other_ends_speak_against_nothing(made):
    assert accused(made) == {}


def test_an_end_of_unknown_cause_counts_where_the_run_was_told_and_three_times():
    assert accused(loading(KILLED, told=attempted())) == {(NAME, 2): (1, True)}
    held = Quarantine(reason="r", transient=True, attempts=1, active=False, alone=True)
    again = {NAME: record(1, quarantined={2: held})}
    assert accused(loading(KILLED, told=attempted(), records=again)) == {(NAME, 2): (2, True)}
    assert accused(loading(SEGV, told=attempted(), records=again)) == {(NAME, 2): (2, False)}
    last = {NAME: record(1, quarantined={2: held.model_copy(update={"attempts": 2})})}
    assert accused(loading(KILLED, told=attempted(), records=last)) == {(NAME, 2): (3, False)}


def test_an_end_is_judged_once_and_remembered_while_its_pod_is_there():
    first = deaths.judge(loading(SEGV))
    assert first.deaths == (f"u1/{SEGV.at.isoformat()}",)
    assert deaths.judge(loading(SEGV, judged=first.deaths)).suspects == {}
    gone = deaths.judge(loading(SEGV, judged=first.deaths, pods=(pod(2),)))
    assert gone.deaths == ()


def test_what_is_withdrawn_already_is_not_accused_again_nor_anything_else():
    held = Quarantine(reason="r", transient=True, attempts=1, alone=True)
    serving = VersionRecord(state="SERVING", since=ago(40).isoformat())
    known = record(1, quarantined={2: held}, versions={1: serving})
    assert accused(loading(SEGV, told=attempted(), records={NAME: known})) == {}


def beside(seconds, *, uid="u2", active=True, alone=True):
    """Version 3 was withdrawn when another replica ended, and so many seconds later this one ends."""
    held = Quarantine(reason="r", transient=False, attempts=2, active=active, alone=alone)
    known = record(1, quarantined={3: held})
    earlier = (f"{uid}/{ago(30 + seconds).isoformat()}",)
    return loading(OOM, told=attempted(""), judged=earlier, records={NAME: known})


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (beside(0), {}),
        (beside(4), {}),
        (beside(5), {(NAME, 2): (1, True)}),
        (beside(-1), {(NAME, 2): (1, True)}),
        (beside(1, uid="u1"), {(NAME, 2): (1, True)}),
        (beside(1, active=False), {(NAME, 2): (1, True)}),
        (beside(1, alone=False), {(NAME, 2): (1, True)}),
    ],
    ids=["at once", "within a sweep", "later", "before", "the same", "tried again", "no killer"],
)
def test_who_ends_beside_another_had_what_is_withdrawn_and_not_what_is_told_instead(made, expected):
    assert accused(made) == expected
    assert len(deaths.judge(made).deaths) == 2


def announced(exit_, *, before=40, alone=False, deaths_before=(), restarts=1):
    """Version 2 was announced so many seconds ago, and everything is in the boot config."""
    held = Quarantine(reason="r", transient=True, attempts=1, active=False, alone=True)
    known = record(
        2,
        versions={2: VersionRecord(state="SERVING", since=ago(before).isoformat())},
        quarantined={2: held} if alone else {},
    )
    only = config(3600, 2, digits=(2,))
    return loading(
        exit_, boot=only, live=only, records={NAME: known}, judged=deaths_before, restarts=restarts
    )


EARLIER = (f"u2/{ago(35).isoformat()}",)


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (announced(SEGV), {}),
        (announced(SEGV, deaths_before=EARLIER), {(NAME, 2): (1, True)}),
        (announced(SEGV, before=629, deaths_before=EARLIER), {(NAME, 2): (1, True)}),
        (announced(SEGV, before=632, deaths_before=EARLIER), {}),
        (announced(SEGV, before=20, deaths_before=EARLIER), {}),
        (announced(SEGV, alone=True), {(NAME, 2): (2, False)}),
        (announced(SEGV, alone=True, before=100), {(NAME, 2): (2, True)}),
        (announced(KILLED, deaths_before=EARLIER), {}),
        (announced(BOOT_FAILED, deaths_before=EARLIER), {}),
        (announced(BOOT_FAILED, deaths_before=EARLIER, restarts=2), {(NAME, 2): (1, True)}),
    ],
)
def test_a_crash_after_an_announcement(made, expected):
    assert accused(made) == expected


def test_of_what_was_announced_the_newest_is_suspected():
    old = VersionRecord(state="SERVING", since=ago(500).isoformat())
    new = VersionRecord(state="SERVING", since=ago(50).isoformat())
    only = config(3600, 2, digits=(2,), letters=(1,))
    made = loading(
        SEGV,
        boot=only,
        live=only,
        records={
            NAME: record(2, versions={2: new}),
            "acme.letters": record(1, versions={1: old}),
        },
        judged=EARLIER,
    )
    assert accused(made) == {(NAME, 2): (1, True)}


@pytest.mark.parametrize(
    ("exit_", "word"),
    [(OOM, "OOMKilled"), (SEGV, "exit code 139"), (KILLED, "exit code 137")],
)
def test_the_reason_tells_how_the_process_ended_and_what_comes_next(exit_, word):
    said = "the server's process ended after it was given this version"
    (held,) = deaths.judge(loading(exit_, told=attempted())).suspects[NAME].values()
    assert held == Quarantine(
        reason=f"{said} ({word}): it is tried again alone",
        transient=True,
        attempts=1,
        alone=True,
    )
    known = held.model_copy(update={"attempts": 2, "active": False})
    again = {NAME: record(1, quarantined={2: known})}
    (held,) = deaths.judge(loading(exit_, told=attempted(), records=again)).suspects[NAME].values()
    assert held.reason == f"{said} ({word}): it is not tried again"
    assert held.alone


def test_what_failed_to_load_before_counts_no_attempt_of_a_killer():
    failed = Quarantine(reason="r", transient=True, attempts=2, active=False)
    known = {NAME: record(1, quarantined={2: failed})}
    assert accused(loading(SEGV, told=attempted(), records=known)) == {(NAME, 2): (1, True)}


def test_kubernetes_tells_whole_seconds():
    def written(at):
        return loading(SEGV, told=attempted(), live=replace(LIVE, updated=at))

    assert accused(written(SEGV.at.replace(microsecond=900_000)))
    assert not accused(written(SEGV.at + timedelta(seconds=1)))


def test_without_a_live_config_nothing_is_accused():
    made = replace(loading(SEGV), live=None)
    assert deaths.judge(made) == deaths.Judged({}, ())


def test_everything_that_was_to_be_loaded_is_accused_but_what_is_withdrawn():
    live = config(60, 2, digits=(1, 2, 3), letters=(1,))
    held = Quarantine(reason="r", transient=True, attempts=1)
    known = {NAME: record(1, quarantined={3: held})}
    made = loading(SEGV, told=attempted(live.digest), live=live, records=known)
    assert accused(made) == {(NAME, 2): (1, True), ("acme.letters", 1): (1, True)}


def test_the_ends_of_two_processes_are_both_judged():
    dead = [pod(n, restarts=1, exit=SEGV, ready=False) for n in (1, 2)]
    quiet = pod(3, restarts=1, exit=replace(SEGV, code=0))
    deleted = pod(5, restarts=1, exit=KILLED, terminating=True)
    made = loading(SEGV, pods=(pod(4), quiet, deleted, *dead))
    at = SEGV.at.isoformat()
    assert deaths.judge(made).deaths == (f"u1/{at}", f"u2/{at}")


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (announced(SEGV, before=629, alone=True), {(NAME, 2): (2, True)}),
        (announced(SEGV, before=630, alone=True), {}),
        (announced(SEGV, before=29, alone=True), {(NAME, 2): (2, False)}),  # of the same second
        (announced(SEGV, before=28, alone=True), {}),
        (announced(SEGV, before=89, alone=True), {(NAME, 2): (2, False)}),
        (announced(SEGV, before=90, alone=True), {(NAME, 2): (2, True)}),
        (announced(SEGV, before=35, deaths_before=EARLIER), {(NAME, 2): (1, True)}),
        (announced(SEGV, before=34, deaths_before=EARLIER), {}),
        (announced(BOOT_FAILED, alone=True, restarts=1), {}),
        (announced(KILLED, alone=True), {}),
    ],
)
def test_the_bounds_of_probation_and_trial(made, expected):
    assert accused(made) == expected


def test_two_deaths_of_one_look_count_as_two():
    made = announced(SEGV)
    both = tuple(pod(n, restarts=1, exit=SEGV, ready=False) for n in (1, 2))
    assert accused(replace(made, workload=replace(made.workload, pods=both))) == {
        (NAME, 2): (1, True)
    }


def test_what_is_not_announced_or_was_before_that_was_recorded_is_not_suspected():
    since = {n: VersionRecord(state="SERVING", since=ago(40).isoformat()) for n in (2, 3)}
    unknown = VersionRecord(state="SERVING")
    known = record(2, 4, versions={**since, 4: unknown})
    made = announced(SEGV, deaths_before=EARLIER)
    made = replace(made, status=made.status.model_copy(update={"models": {NAME: known}}))
    assert accused(made) == {(NAME, 2): (1, True)}


def test_all_that_was_announced_together_is_suspected_or_what_is_on_trial_alone():
    since = VersionRecord(state="SERVING", since=ago(40).isoformat())
    held = Quarantine(reason="r", transient=True, attempts=1, active=False, alone=True)
    letters = "acme.letters"
    models = {
        NAME: record(2, versions={2: since}, quarantined={2: held}),
        letters: record(1, versions={1: since}),
    }
    made = announced(SEGV)
    made = replace(made, status=made.status.model_copy(update={"models": models}))
    assert accused(made) == {(NAME, 2): (2, False)}
    again = made.status.model_copy(update={"deaths": EARLIER})
    assert accused(replace(made, status=again)) == {
        (NAME, 2): (2, False),
        (letters, 1): (1, True),
    }


@pytest.mark.parametrize(("exit_", "expected"), [(KILLED, {}), (OOM, {(NAME, 2): (1, True)})])
def test_a_replica_on_its_way_out_is_killed_by_those_who_end_it(exit_, expected):
    out = pod(1, exit=exit_, ready=False, terminating=True)
    assert accused(loading(exit_, told=attempted(), pods=(out, pod(2)))) == expected
