"""Rolling restarts of shards in waves, as a pure step of the fleet's tick.

Due by age inside the operator's window, or because an operator said `restart_before`. One wave at
a time; a shard that does not come back stops the wave.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from berth.domain.documents import RestartPolicy, Shard
from berth.domain.shard_status import Summary


@dataclass(frozen=True, slots=True)
class Wave:
    """The shards to restart now, and what holds the others back."""

    restart: tuple[str, ...]
    blocked: str = ""


def wave(
    shards: Mapping[str, Shard],
    summaries: Mapping[str, Summary],
    *,
    policy: RestartPolicy,
    now: datetime,
) -> Wave:
    """Return the next wave: empty while one is under way or when nothing is due."""
    active = {name: shard for name, shard in shards.items() if shard.state == "active"}
    for name, shard in sorted(active.items()):
        if _under_way(shard, summaries.get(name)):
            late = now - datetime.fromisoformat(shard.restart_at) > timedelta(
                seconds=policy.patience_seconds
            )
            word = (
                "did not come back in time, no further shard is restarted" if late else "restarts"
            )
            return Wave((), blocked=f"{name} {word}")
    due = [
        (summaries[name].oldest_start, name)
        for name, shard in active.items()
        if name in summaries and _due(shard, summaries[name], policy, now)
    ]
    return Wave(tuple(name for _, name in sorted(due)[: policy.wave]))


def _under_way(shard: Shard, summary: Summary | None) -> bool:
    """A restart was ordered and a replica from before it, or a missing one, is still there."""
    if not shard.restart_at:
        return False
    if summary is None or not _whole(shard, summary):
        return True
    return _moment(summary.oldest_start) < _whole_second(_moment(shard.restart_at))


def _due(shard: Shard, summary: Summary, policy: RestartPolicy, now: datetime) -> bool:
    """Never while replicas are missing or a rollout is open there."""
    if not _whole(shard, summary) or summary.rollouts:
        return False
    oldest = _moment(summary.oldest_start)
    ordered = bool(policy.restart_before) and oldest < _whole_second(_moment(policy.restart_before))
    aged = now - oldest > timedelta(seconds=policy.max_age_seconds) and _in_window(policy, now)
    return ordered or aged


def _whole(shard: Shard, summary: Summary) -> bool:
    return (
        summary.ready >= shard.replicas_min
        and summary.ready == summary.replicas
        and bool(summary.oldest_start)
    )


def _in_window(policy: RestartPolicy, now: datetime) -> bool:
    return (now.hour - policy.window_start_hour) % 24 < policy.window_hours


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _whole_second(moment: datetime) -> datetime:
    """Kubernetes tells start times in whole seconds: compare in the same coin."""
    return moment.replace(microsecond=0)
