"""The pilot: what no replica has proven yet is told to one replica, the others when that one has it.

A version that ends the process on loading then ends one process, and the others go on serving.
Meanwhile the others are told what is proven: a slow load on the pilot keeps nothing from them.
"""

from datetime import timedelta

from berth.domain import serving_config
from berth.domain.observation import END, Observation, Pod, StoredConfig

AWAY_PATIENCE = timedelta(seconds=180)


def first(seen: Observation, *, boot: str, live: str) -> tuple[Pod, ...]:
    """Return the replicas to tell a new live config at once: all, or one if it names what is unproven.

    None while the last one that serves waits for another: if that ended, nobody would serve.

    `boot` and `live` are the texts that are being written.
    """
    booted = serving_config.parse(boot)
    unproven = [
        (name, number)
        for name, entry in serving_config.parse(live).items()
        for number in entry.versions
        if name not in booted or number not in booted[name].versions
    ]
    if not unproven or not seen.serving:
        return seen.serving
    if _last_one(seen):
        return ()
    pilot = min(
        seen.serving, key=lambda pod: (_failed(pod, unproven, seen), not seen.informed(pod))
    )
    return (pilot,)


def untold(seen: Observation) -> tuple[tuple[Pod, StoredConfig], ...]:
    """Return the replicas that do not run what they should, each with the config to tell it."""
    live, proven = seen.live, seen.proven
    if live is None or proven is None:
        return ()
    pilot = _pilot(seen)
    return tuple(
        (pod, live if pod in pilot else proven)
        for pod in seen.serving
        if not (seen.informed(pod) or (pod not in pilot and seen.running(pod) is not None))
        or seen.drifted(pod)
    )


def _failed(pod: Pod, versions: list[tuple[str, int]], seen: Observation) -> int:
    """How many of these ended in error there before: another replica tells whether it was theirs."""
    said = (seen.reports.get(pod.key, {}).get(name, {}).get(n) for name, n in versions)
    return sum(status is not None and status.state == END and bool(status.code) for status in said)


def _pilot(seen: Observation) -> tuple[Pod, ...]:
    """The replica that runs the live config, else the first; none where none serves.

    None either while one that was told is away: how its process ended may still become known; nor is
    it the last one while another is on its way.
    """
    informed = tuple(pod for pod in seen.serving if seen.informed(pod))
    if not informed and seen.unproven and (away(seen) or _last_one(seen)):
        return ()
    return (informed or seen.serving)[:1]


def away(seen: Observation) -> bool:
    """Whether it may still become known how a replica ended that the live config was sent to."""
    return any(_away(pod, seen) for pod in seen.workload.pods)


def _away(pod: Pod, seen: Observation) -> bool:
    """Whether a replica that the live config was sent to has not been seen serving since."""
    if seen.live is None or pod.serving or pod.terminating:
        return False
    told = seen.told.get(pod.key) or seen.told.get(pod.ended_key)
    tried = told is not None and told.digest in ("", seen.live.digest)
    return tried and seen.now - seen.live.updated < AWAY_PATIENCE


def _last_one(seen: Observation) -> bool:
    """Whether one replica alone serves, and another began or ended so lately that it may be back soon."""
    return len(seen.serving) == 1 and any(
        seen.now - since < AWAY_PATIENCE
        for pod in seen.workload.pods
        if not pod.serving and not pod.terminating
        for since in (pod.started_at, pod.exit.at if pod.exit else None)
        if since is not None
    )
