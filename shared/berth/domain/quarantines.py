"""Which versions of a servable are quarantined: what ended in error, tried again where that may help.

Pure. What ends a server's process and shows no END is the matter of `deaths`.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from berth.domain.observation import END, Observation, Pod, VersionStatus
from berth.domain.serving_config import Entry
from berth.domain.shard_status import ModelRecord, Quarantine, VersionRecord

# An END that was there before the push is shown until the next sweep (1 s) and tick (100 ms).
END_GRACE = timedelta(seconds=3)
MAX_ATTEMPTS = 3
# For how long after its announcement what a version did before is held against it.
PROBATION = timedelta(seconds=600)
# CANCELLED, UNKNOWN, DEADLINE_EXCEEDED, ABORTED, INTERNAL, UNAVAILABLE: the storage or the server
# hiccuped. A version was proven to load before it came here, NOT_FOUND included.
TRANSIENT = frozenset({1, 2, 4, 5, 10, 13, 14})


def judged(name: str, seen: Observation, record: ModelRecord) -> dict[int, Quarantine]:
    """Add versions that ended in error; let transient ones in again once every replica let go."""
    live = seen.live.entries.get(name) if seen.live else None
    result: dict[int, Quarantine] = {}
    for number, held in record.quarantined.items():
        again = _worth_a_try(held, seen) and _let_go(name, number, live, seen)
        result[number] = held.model_copy(update={"active": False}) if again else held
    for number, ended in _ended(name, seen).items():
        known_attempts = result[number].attempts if number in result else 0
        if number not in result or not result[number].active:
            result[number] = Quarantine(
                reason=f"failed to load on a replica: {ended.message[:400]}",
                transient=ended.code in TRANSIENT,
                attempts=known_attempts + 1,
            )
    return result


def withdrawn(quarantined: Mapping[int, Quarantine]) -> frozenset[int]:
    """Versions that end processes: they leave every config at once, announced or not."""
    return frozenset(n for n, held in quarantined.items() if held.active and held.alone)


def remembered(record: ModelRecord, wanted: Collection[int], now: datetime) -> ModelRecord:
    """Forget what a version that may load again did before: when it has served through its probation,
    and when nobody wants it.
    """
    left = {
        number: held
        for number, held in record.quarantined.items()
        if held.active or (number in wanted and not _proven(record.versions.get(number), now))
    }
    return record.model_copy(update={"quarantined": left})


def _proven(version: VersionRecord | None, now: datetime) -> bool:
    since = version.since if version else ""
    return bool(since) and now - datetime.fromisoformat(since) > PROBATION


def _worth_a_try(held: Quarantine, seen: Observation) -> bool:
    """One that ended a server's process comes again only where no replica is missing."""
    again = held.active and held.transient and held.attempts < MAX_ATTEMPTS
    return again and (seen.whole or not held.alone)


def _let_go(name: str, number: int, live: Entry | None, seen: Observation) -> bool:
    """Whether no config names a version and every server has seen that; one that is silent may not.

    A server sees it with its next sweep: what is named again before is never seen to change.
    """
    if live is not None and number in live.versions:
        return False
    return all(_quiet(name, number, pod, seen) for pod in seen.serving)


def _quiet(name: str, number: int, pod: Pod, seen: Observation) -> bool:
    if pod.key not in seen.reports or seen.running(pod) is None or not _swept(pod, seen):
        return False
    status = seen.reports[pod.key].get(name, {}).get(number)
    return status is None or status.state == END


def _ended(name: str, seen: Observation) -> dict[int, VersionStatus]:
    """Versions that ended in error on a replica which has had the time to try them."""
    found: dict[int, VersionStatus] = {}
    for pod in seen.serving:
        entry = (seen.running(pod) or {}).get(name)
        if entry is None or not _swept(pod, seen):
            continue
        for number, status in seen.reports.get(pod.key, {}).get(name, {}).items():
            if number in entry.versions and status.state == END and status.code:
                found.setdefault(number, status)
    return found


def _swept(pod: Pod, seen: Observation) -> bool:
    """Whether a server has had a sweep since it was told what it runs."""
    told = seen.told.get(pod.key)
    return told is None or seen.now - datetime.fromisoformat(told.at) >= END_GRACE
