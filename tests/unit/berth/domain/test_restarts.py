"""Restarts: who is due, who waits for whom, and what stops a wave."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from berth.domain import restarts
from berth.domain.documents import RestartPolicy, Shard
from berth.domain.shard_status import Capacity, Summary

NOW = datetime(2026, 1, 10, 12, 0, tzinfo=UTC)


def ago(**time):
    return (NOW - timedelta(**time)).isoformat(timespec="seconds")


def shard(name, restart_at="", state="active"):
    return Shard(shard=name, memory_bytes=1, restart_at=restart_at, state=state)


def seen(name, oldest=None, ready=2, replicas=2, rollouts=0):
    return Summary(
        shard=name,
        capacity=Capacity(),
        replicas=replicas,
        ready=ready,
        oldest_start=ago(hours=1) if oldest is None else oldest,
        rollouts=rollouts,
    )


OLD = ago(hours=25)
DAILY = RestartPolicy()


@dataclass(frozen=True)
class Case:
    shards: tuple[Shard, ...]
    summaries: tuple[Summary, ...]
    restart: tuple[str, ...] = ()
    blocked: str = ""
    policy: RestartPolicy = DAILY


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
        policy=RestartPolicy(wave=2),
    ),
    "old outside the window": Case(
        (shard("a"),), (seen("a", OLD),), policy=RestartPolicy(window_start_hour=2, window_hours=4)
    ),
    "old inside a window over midnight": Case(
        (shard("a"),),
        (seen("a", OLD),),
        ("a",),
        policy=RestartPolicy(window_start_hour=22, window_hours=15),
    ),
    "at the window's end": Case(
        (shard("a"),), (seen("a", OLD),), policy=RestartPolicy(window_start_hour=10, window_hours=2)
    ),
    "ordered, window or not": Case(
        (shard("a"),),
        (seen("a"),),
        ("a",),
        policy=RestartPolicy(restart_before=ago(minutes=1), window_start_hour=2, window_hours=1),
    ),
    "ordered, restarted since": Case(
        (shard("a", ago(minutes=5)),),
        (seen("a", ago(minutes=4)),),
        policy=RestartPolicy(restart_before=ago(minutes=5)),
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
