"""Restarts: who is due, who waits for whom, and what stops a wave."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from berth.domain import restarts
from berth.domain.documents import Policy, Shard
from berth.domain.shard_status import Capacity, Summary

NOW = datetime(2026, 1, 10, 12, 0, tzinfo=UTC)


def ago(**time):
    return (NOW - timedelta(**time)).isoformat(timespec="seconds")


def shard(name, restart_at="", state="active", lately=()):
    """`lately`: when it was restarted by evidence."""
    kept = dict.fromkeys(lately, "memory")
    return Shard(shard=name, memory_bytes=1, restart_at=restart_at, state=state, restarted_for=kept)


def seen(name, oldest=None, ready=2, replicas=2, rollouts=0, evidence=()):
    return Summary(
        shard=name,
        capacity=Capacity(),
        replicas=replicas,
        ready=ready,
        oldest_start=ago(hours=1) if oldest is None else oldest,
        rollouts=rollouts,
        evidence=evidence,
    )


OLD = ago(hours=25)
DAILY = Policy()
NIGHT = {"window_start_hour": 2, "window_hours": 1}
HELD = ("memory",)


@dataclass(frozen=True)
class Case:
    shards: tuple[Shard, ...]
    summaries: tuple[Summary, ...]
    restart: tuple[str, ...] = ()
    blocked: str = ""
    policy: Policy = DAILY
    evidence: tuple[str, ...] = ()
    late: tuple[str, ...] = ()


CASES = {
    "no shards": Case((), ()),
    "all young": Case((shard("a"),), (seen("a"),)),
    "never looked at": Case((shard("a"),), ()),
    "one is old": Case((shard("a"), shard("b")), (seen("a"), seen("b", OLD)), ("b",)),
    "both are old, the oldest first": Case(
        (shard("a"), shard("b")), (seen("a", OLD), seen("b", ago(hours=30))), ("b",)
    ),
    "a wave of two": Case(
        (shard("a"), shard("b"), shard("c")),
        tuple(seen(n, OLD) for n in "abc"),
        ("a", "b"),
        policy=Policy(wave=2),
    ),
    "old outside the window": Case(
        (shard("a"),), (seen("a", OLD),), policy=Policy(window_start_hour=2, window_hours=4)
    ),
    "old inside a window over midnight": Case(
        (shard("a"),),
        (seen("a", OLD),),
        ("a",),
        policy=Policy(window_start_hour=22, window_hours=15),
    ),
    "at the window's end": Case(
        (shard("a"),), (seen("a", OLD),), policy=Policy(window_start_hour=10, window_hours=2)
    ),
    "ordered, window or not": Case(
        (shard("a"),),
        (seen("a"),),
        ("a",),
        policy=Policy(restart_before=ago(minutes=1), window_start_hour=2, window_hours=1),
    ),
    "ordered, restarted since": Case(
        (shard("a", ago(minutes=5)),),
        (seen("a", ago(minutes=4)),),
        policy=Policy(restart_before=ago(minutes=5)),
    ),
    "old, replicas missing": Case((shard("a"),), (seen("a", OLD, ready=1),)),
    "old, a replica not ready": Case((shard("a"),), (seen("a", OLD, ready=2, replicas=3),)),
    "old, a rollout open": Case((shard("a"),), (seen("a", OLD, rollouts=1),)),
    "draining": Case((shard("a", state="draining"),), (seen("a", OLD),)),
    "another is under way": Case(
        (shard("a", ago(minutes=1)), shard("b")),
        (seen("a", OLD), seen("b", OLD)),
        blocked="a restarts",
    ),
    "another lacks a replica": Case(
        (shard("a", ago(minutes=1)), shard("b")),
        (seen("a", ago(seconds=10), ready=1), seen("b", OLD)),
        blocked="a restarts",
    ),
    "another is not to be seen": Case(
        (shard("a", ago(minutes=1)), shard("b")), (seen("b", OLD),), blocked="a restarts"
    ),
    "another did not come back": Case(
        (shard("a", ago(minutes=16)), shard("b")),
        (seen("a", ago(minutes=15), ready=1), seen("b", OLD)),
        blocked="a did not come back in time",
        late=("a",),
    ),
    "evidence, window or not": Case(
        (shard("a"), shard("b")),
        (seen("a"), seen("b", evidence=HELD)),
        ("b",),
        policy=Policy(**NIGHT),
        evidence=("b",),
    ),
    "evidence before age": Case(
        (shard("a"), shard("b")),
        (seen("a", OLD), seen("b", evidence=HELD)),
        ("b",),
        evidence=("b",),
    ),
    "evidence and age in one wave": Case(
        (shard("a"), shard("b")),
        (seen("a", OLD), seen("b", evidence=HELD)),
        ("b", "a"),
        policy=Policy(wave=2),
        evidence=("b",),
    ),
    "evidence, a rollout open": Case((shard("a"),), (seen("a", evidence=HELD, rollouts=1),)),
    "evidence, replicas missing": Case((shard("a"),), (seen("a", evidence=HELD, ready=1),)),
    "evidence, another did not come back": Case(
        (shard("a", ago(minutes=16)), shard("b")),
        (seen("a", ago(minutes=15), ready=1), seen("b", evidence=HELD)),
        blocked="a did not come back in time",
        late=("a",),
    ),
    "evidence again within its rest": Case(
        (shard("a", lately=(ago(minutes=59),)),),
        (seen("a", evidence=HELD),),
        blocked="evidence against a: its budget is used up",
    ),
    "evidence again after its rest": Case(
        (shard("a", lately=(ago(minutes=60),)),),
        (seen("a", evidence=HELD),),
        ("a",),
        evidence=("a",),
    ),
    "evidence within its rest, and old": Case(
        (shard("a", lately=(ago(minutes=59),)),), (seen("a", OLD, evidence=HELD),), ("a",)
    ),
    "another's rest is its own": Case(
        (shard("a", lately=(ago(minutes=5),)), shard("b")),
        (seen("a"), seen("b", evidence=HELD)),
        ("b",),
        evidence=("b",),
    ),
    "the day's budget is used up": Case(
        (shard("a", lately=(ago(hours=2), ago(hours=23))), shard("b")),
        (seen("a"), seen("b", evidence=HELD)),
        blocked="evidence against b: its budget is used up",
        policy=Policy(evidence_per_day=2),
    ),
    "the day's budget is open again": Case(
        (shard("a", lately=(ago(hours=2), ago(hours=24))), shard("b")),
        (seen("a"), seen("b", evidence=HELD)),
        ("b",),
        policy=Policy(evidence_per_day=2),
        evidence=("b",),
    ),
    "a budget that the wave would exceed": Case(
        (shard("a"), shard("b")),
        (seen("a", evidence=HELD), seen("b", evidence=HELD)),
        ("a",),
        policy=Policy(evidence_per_day=1, wave=2),
        evidence=("a",),
    ),
    "evidence is turned off": Case(
        (shard("a"),),
        (seen("a", evidence=HELD),),
        blocked="evidence against a",
        policy=Policy(evidence_per_day=0),
    ),
    "the last wave is over": Case(
        (shard("a", ago(minutes=9)), shard("b")),
        (seen("a", ago(minutes=8)), seen("b", OLD)),
        ("b",),
    ),
    "told in whole seconds": Case(
        (shard("a", (NOW - timedelta(seconds=30, microseconds=-900_000)).isoformat()), shard("b")),
        (seen("a", ago(seconds=30)), seen("b", OLD)),
        ("b",),
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_next_wave(case):
    wave = restarts.wave(
        {s.shard: s for s in case.shards},
        {s.shard: s for s in case.summaries},
        policy=case.policy,
        now=NOW,
    )
    assert wave.restart == case.restart
    assert wave.blocked.startswith(case.blocked)
    assert bool(wave.blocked) == bool(case.blocked)
    assert tuple(wave.evidence) == case.evidence
    assert wave.late == case.late


def test_an_order_keeps_a_days_evidence():
    before = shard("a", lately=(ago(hours=24), ago(hours=23)))
    after = restarts.ordered(before, NOW, evidence="drifted memory")
    assert after.restart_at == ago(seconds=0)
    assert after.restarted_for == {ago(hours=23): "memory", ago(seconds=0): "drifted memory"}


def test_an_order_by_age_is_no_evidence():
    assert restarts.ordered(shard("a"), NOW).restarted_for == {}
