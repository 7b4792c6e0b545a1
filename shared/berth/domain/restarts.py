"""Rolling restarts of shards in waves, as a pure step of the fleet's tick.

Due by evidence against a server, by age inside the operator's window, or because an operator said
`restart_before`. One wave at a time; a shard that does not come back stops the wave. Restarts by
evidence have a budget, so that a wrong measurement does not restart for ever.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from berth.domain.documents import Policy, Shard
from berth.domain.shard_status import Summary

DAY = timedelta(days=1)
Phase = Literal["", "under way", "late"]


@dataclass(frozen=True, slots=True)
class Wave:
    """The shards to restart now, by what evidence, and what holds the others back.

    `late` are shards that did not come back in time.
    """

    restart: tuple[str, ...]
    evidence: Mapping[str, str] = field(default_factory=dict)
    blocked: str = ""
    late: tuple[str, ...] = ()


def wave(
    shards: Mapping[str, Shard],
    summaries: Mapping[str, Summary],
    *,
    policy: Policy,
    now: datetime,
) -> Wave:
    """Return the next wave: empty while one is under way or when nothing is due."""
    active = {name: shard for name, shard in sorted(shards.items()) if shard.state == "active"}
    phases = {n: phase(s, summaries.get(n), policy=policy, now=now) for n, s in active.items()}
    if any(phases.values()):
        late = tuple(name for name, word in phases.items() if word == "late")
        busy = ", ".join(name for name, word in phases.items() if word)
        rest = "did not come back in time, no further shard is restarted"
        blocked = f"{', '.join(late)} {rest}" if late else f"{busy} restarts"
        return Wave((), blocked=blocked, late=late)
    fit = {n: s for n, s in active.items() if n in summaries and _fit(s, summaries[n])}
    spoken = {n: " ".join(summaries[n].evidence) for n, s in fit.items() if summaries[n].evidence}
    rested = [n for n in spoken if _rested(fit[n], policy, now)]
    accused = rested[: min(policy.wave, left_today(shards, policy, now))]
    aged = sorted(
        (summaries[n].oldest_start, n)
        for n in fit
        if n not in accused and _old(summaries[n], policy, now)
    )
    chosen = (*accused, *(name for _, name in aged))[: policy.wave]
    held = sorted(set(spoken) - set(chosen)) if not chosen else []
    return Wave(
        chosen,
        evidence={name: spoken[name] for name in chosen if name in accused},
        blocked=f"evidence against {', '.join(held)}: its budget is used up" if held else "",
    )


def phase(shard: Shard, summary: Summary | None, *, policy: Policy, now: datetime) -> Phase:
    """Return how the last restart of a shard stands: over, under way, or not back in time."""
    if not _under_way(shard, summary):
        return ""
    patience = timedelta(seconds=policy.patience_seconds)
    return "late" if now - _moment(shard.restart_at) > patience else "under way"


def left_today(shards: Mapping[str, Shard], policy: Policy, now: datetime) -> int:
    """Return how many restarts by evidence the fleet may still make within a day's time."""
    made = sum(len(lately(shard, now)) for shard in shards.values())
    return max(0, policy.evidence_per_day - made)


def lately(shard: Shard, now: datetime) -> dict[str, str]:
    """Return the last day's restarts by evidence of a shard."""
    return {at: why for at, why in shard.restarted_for.items() if now - _moment(at) < DAY}


def why_old(summary: Summary, policy: Policy) -> str:
    """Return in words why a shard's oldest server is due by its age."""
    since = f"a server runs since {summary.oldest_start}"
    if _told_to(summary, policy):
        return f"{since}, from before the operator's restart_before, {policy.restart_before}"
    return f"{since}, longer than {policy.max_age_seconds} s"


def ordered(shard: Shard, now: datetime, *, evidence: str = "") -> Shard:
    """Return the shard's document with a restart ordered now."""
    at = now.isoformat(timespec="seconds")
    because = {at: evidence} if evidence else {}
    return shard.model_copy(
        update={"restart_at": at, "restarted_for": {**lately(shard, now), **because}}
    )


def _under_way(shard: Shard, summary: Summary | None) -> bool:
    """A restart was ordered and a replica from before it, or a missing one, is still there."""
    if not shard.restart_at:
        return False
    if summary is None or not _whole(shard, summary):
        return True
    return _moment(summary.oldest_start) < _whole_second(_moment(shard.restart_at))


def _fit(shard: Shard, summary: Summary) -> bool:
    """Never while replicas are missing or a rollout is open there."""
    return _whole(shard, summary) and not summary.rollouts


def _rested(shard: Shard, policy: Policy, now: datetime) -> bool:
    rest = timedelta(seconds=policy.evidence_rest_seconds)
    return all(now - _moment(at) >= rest for at in lately(shard, now))


def _old(summary: Summary, policy: Policy, now: datetime) -> bool:
    aged = now - _moment(summary.oldest_start) > timedelta(seconds=policy.max_age_seconds)
    return _told_to(summary, policy) or (aged and _in_window(policy, now))


def _told_to(summary: Summary, policy: Policy) -> bool:
    """Whether an operator wants all servers restarted that are as old as the oldest here."""
    before = policy.restart_before
    return bool(before) and _moment(summary.oldest_start) < _whole_second(_moment(before))


def _whole(shard: Shard, summary: Summary) -> bool:
    return (
        summary.ready >= shard.replicas_min
        and summary.ready == summary.replicas
        and bool(summary.oldest_start)
    )


def _in_window(policy: Policy, now: datetime) -> bool:
    return (now.hour - policy.window_start_hour) % 24 < policy.window_hours


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _whole_second(moment: datetime) -> datetime:
    """Kubernetes tells start times in whole seconds: compare in the same coin."""
    return moment.replace(microsecond=0)
