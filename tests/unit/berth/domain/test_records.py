"""What a look records of one servable: states and reasons of its versions, and since when."""

from dataclasses import replace
from datetime import timedelta

import pytest

from berth.domain import records
from berth.domain.observation import VersionStatus
from berth.domain.shard_status import ModelRecord, Quarantine, VersionRecord
from tests.support.shards import AVAILABLE, NAME, NOW, ago, pod, record, seen

HELD = Quarantine(reason="corrupt", transient=False, attempts=1)
LONG_AGO = ago(3600).isoformat()


def look(*, before=None, **more):
    """Version 1 is AVAILABLE on two replicas of three that serve, version 2 on one."""
    pods = tuple(pod(n) for n in (1, 2, 3))
    made = seen(pods=pods, records={} if before is None else {NAME: before}, **more)
    said = {
        "u1/0": {NAME: {1: AVAILABLE, 2: AVAILABLE}},
        "u2/0": {NAME: {1: AVAILABLE, 2: VersionStatus("LOADING")}},
        "u3/0": {"acme.other": {1: AVAILABLE}},
    }
    return replace(made, reports=said)


def observed(known, wanted, made=None):
    return records.observed(NAME, made or look(before=known), known, wanted)


def test_only_what_a_serving_replica_says_is_available_counts():
    made = look()
    assert [records.available(NAME, n, made) for n in (1, 2, 3)] == [2, 1, 0]
    assert records.available("acme.third", 1, made) == 0
    silent = replace(made, reports={"u1/0": made.reports["u1/0"]})
    assert records.available(NAME, 1, silent) == 1
    away = replace(made, workload=replace(made.workload, pods=(pod(1, ready=False), pod(2))))
    assert records.available(NAME, 1, away) == 1


def test_each_version_that_matters_has_its_state_and_reason():
    since = VersionRecord(state="SERVING", since=LONG_AGO)
    known = record(1, versions={1: since}, quarantined={3: HELD})
    made = observed(known, (2,))
    assert made.versions == {
        1: VersionRecord(state="SERVING", replicas=2, since=LONG_AGO),
        2: VersionRecord(state="LOADING", reason="available on 1 of 3 replicas", replicas=1),
        3: VersionRecord(state="QUARANTINED", reason="corrupt"),
    }
    assert (made.state, made.reason) == ("LOADING", "available on 1 of 3 replicas")


def test_a_quarantined_version_may_still_be_available_somewhere():
    made = observed(record(1, quarantined={2: HELD}), (1,))
    assert made.versions[2] == VersionRecord(state="QUARANTINED", reason="corrupt", replicas=1)
    assert (made.state, made.reason) == ("SERVING", "version 2: corrupt")


def test_what_was_tried_again_and_is_not_wanted_is_not_shown():
    tried = HELD.model_copy(update={"active": False})
    made = observed(record(1, quarantined={2: tried}), (1,))
    assert set(made.versions) == {1}
    assert (made.state, made.reason) == ("SERVING", "")
    assert observed(record(1, quarantined={2: tried}), (2,)).versions[2].state == "LOADING"


def test_where_nothing_is_left_to_serve_every_reason_is_told():
    made = observed(record(quarantined={1: HELD, 2: HELD}), ())
    both = "version 1: corrupt; version 2: corrupt"
    assert (made.state, made.reason) == ("QUARANTINED", both)
    serving = observed(record(3, quarantined={1: HELD, 2: HELD}), (3,))
    assert (serving.state, serving.reason) == ("SERVING", both)


def test_of_several_that_load_the_newest_is_told_of():
    made = observed(record(), (1, 2))
    assert (made.state, made.reason) == ("LOADING", "available on 1 of 3 replicas")


def test_a_wanted_version_that_is_held_is_told_with_its_reason():
    made = observed(record(1, quarantined={2: HELD}), (1, 2))
    assert (made.state, made.reason) == ("LOADING", "corrupt")


@pytest.mark.parametrize(
    ("before", "since"),
    [
        (record(1, versions={1: VersionRecord(state="SERVING", since=LONG_AGO)}), LONG_AGO),
        (record(1), ""),  # from before that was recorded
        (record(2, versions={1: VersionRecord(state="LOADING", since=LONG_AGO)}), "now"),
        (None, "now"),
    ],
)
def test_a_version_serves_since_it_was_announced(before, since):
    made = look(before=before, now=NOW + timedelta(microseconds=7))
    version = observed(record(1), (1,), made).versions[1]
    assert version.since == (NOW.isoformat() if since == "now" else since)


@pytest.mark.parametrize(
    ("before", "state", "since"),
    [
        (record(1), "SERVING", LONG_AGO),
        (record(1), "LOADING", NOW.isoformat()),
        (record(1).model_copy(update={"since": ""}), "SERVING", NOW.isoformat()),
        (None, "SERVING", NOW.isoformat()),
    ],
)
def test_a_state_lasts_since_it_began(before, state, since):
    new = ModelRecord(state="PENDING", said=4)
    made = records.since(new, before, state, NOW + timedelta(microseconds=7))
    assert made == ModelRecord(state=state, since=since, said=4)


def test_a_record_is_compared_with_the_one_that_was_written():
    assert observed(record(1), (1,), look(before=record(1))).since == LONG_AGO
    assert observed(record(1), (1,), look()).since == NOW.isoformat()
