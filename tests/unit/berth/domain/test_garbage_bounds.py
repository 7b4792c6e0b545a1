"""Garbage where little is known: a shard without a status, bytes that wait for one server, what stays of a number."""

from datetime import UTC, datetime, timedelta

import pytest

from berth.domain import garbage
from berth.domain.documents import Admission, Model, Policy, Verdict, Wants
from berth.domain.garbage import Rubbish, ShardView
from berth.domain.manifest import SAVED_MODEL
from berth.domain.names import ModelName, VersionName
from berth.domain.serving_config import Entry
from berth.domain.shard_status import ReplicaStatus, ShardStatus

NOW = datetime(2026, 3, 10, tzinfo=UTC)
POLICY = Policy()
ONE, TWO = (VersionName(ModelName("acme", "digits"), n) for n in (1, 2))


def sort(orphans, marks, views=()):
    return garbage.sort(orphans, marks, views, policy=POLICY, now=NOW)


def view(started):
    """A shard with one server that was told nothing."""
    replica = ReplicaStatus(
        name="pod", key="k", address="a", ready=True, started_at=started.isoformat(), reason=""
    )
    return ShardView("shard-0", ShardStatus(replicas=(replica,)), (), "live")


def test_a_shard_without_a_status_names_what_its_configs_do():
    seen = ShardView("shard-0", None, ({"acme.digits": Entry("x", (1, 2))},), "")
    assert garbage.named([seen]) == {("acme.digits", 1), ("acme.digits", 2)}


@pytest.mark.parametrize(("hours", "blocked"), [(26, True), (24, False)])
def test_bytes_wait_for_a_server_that_may_have_started_before_their_mark(hours, blocked):
    marks = {ONE: NOW - timedelta(hours=25)}
    found = sort({ONE}, marks, [view(NOW - timedelta(hours=hours))])
    assert found.delete == (() if blocked else (ONE,))
    assert found.blocked == ("bytes wait: pod was not told the live config yet" if blocked else "")


def test_what_is_new_is_marked_and_what_is_named_again_unmarked_in_one_sweep():
    known = {ONE: NOW - timedelta(days=2)}
    assert sort({TWO}, known) == Rubbish(mark=(TWO,), unmark=(ONE,))


def test_of_a_burnt_number_its_upload_and_its_refusals_are_known_still():
    known = Admission(uploaded_at="2026-03-01", refused_digest="r", promoted=("variables/x",))
    kept = garbage.burnt(known, NOW + timedelta(microseconds=7001))
    assert (kept.uploaded_at, kept.refused_digest) == ("2026-03-01", "r")
    assert kept.promoted == (SAVED_MODEL,)
    assert kept.promoting == garbage.COLLECTED
    assert kept.verdict == Verdict(
        state="REJECTED", reason=garbage.BURNT, at="2026-03-10T00:00:00.007+00:00"
    )


def test_of_a_shard_without_a_status_no_server_is_known_to_run_the_live_config():
    (replica,) = view(NOW).status.replicas
    assert not ShardView("shard-0", None, (), "live").informed(replica)


def test_a_server_that_started_as_its_config_was_written_may_have_read_the_older_one():
    """Kubernetes tells whole seconds."""
    (replica,) = view(NOW).status.replicas
    (later,) = view(NOW + timedelta(seconds=1)).status.replicas
    seen = ShardView("shard-0", ShardStatus(), (), "live", boot_live=NOW)
    assert (seen.informed(replica), seen.informed(later)) == (False, True)
    assert garbage.unsure([view(NOW)], NOW) == "pod was not told the live config yet"
    assert garbage.unsure([view(NOW + timedelta(seconds=1))], NOW) == ""


def test_a_document_of_which_nothing_goes_is_itself():
    known = Model(
        customer="acme",
        model="digits",
        base_path="acme/digits",
        versions={},
        wants=Wants(),
        shard="shard-0",
    )
    assert garbage.shortened(known, None, policy=POLICY, now=NOW) is known
