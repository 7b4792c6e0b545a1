"""What a look at a shard records of one servable: states, reasons, and since when."""

from collections.abc import Mapping
from datetime import datetime

from berth.domain.observation import AVAILABLE, Observation
from berth.domain.shard_status import ModelRecord, State, VersionRecord


def available(name: str, number: int, seen: Observation) -> int:
    """On how many serving replicas one version is AVAILABLE."""
    statuses = (seen.reports.get(pod.key, {}).get(name, {}).get(number) for pod in seen.serving)
    return sum(status is not None and status.state == AVAILABLE for status in statuses)


def observed(
    name: str, seen: Observation, record: ModelRecord, wanted: tuple[int, ...]
) -> ModelRecord:
    """Fill in states and reasons of the model and of each version that matters now."""
    versions: dict[int, VersionRecord] = {}
    for number in sorted({*wanted, *record.announced, *record.quarantined}):
        replicas = available(name, number, seen)
        held = record.quarantined.get(number)
        if held is not None and held.active:
            versions[number] = VersionRecord(
                state="QUARANTINED", reason=held.reason, replicas=replicas
            )
        elif number in record.announced:
            versions[number] = VersionRecord(
                state="SERVING", replicas=replicas, since=_serving_since(name, number, seen)
            )
        elif number in wanted:
            reason = f"available on {replicas} of {len(seen.serving)} replicas"
            versions[number] = VersionRecord(state="LOADING", reason=reason, replicas=replicas)
    state, reason = _summary(record, wanted, versions)
    return since(
        record.model_copy(update={"versions": versions, "reason": reason}),
        seen.status.models.get(name),
        state,
        seen.now,
    )


def _serving_since(name: str, number: int, seen: Observation) -> str:
    """When a version was announced, in whole seconds; "" for one from before that was recorded."""
    before = seen.status.models.get(name)
    if before is None or number not in before.announced:
        return seen.now.isoformat(timespec="seconds")
    return before.versions[number].since if number in before.versions else ""


def _summary(
    record: ModelRecord, wanted: tuple[int, ...], versions: Mapping[int, VersionRecord]
) -> tuple[State, str]:
    poisoned = [f"version {n}: {v.reason}" for n, v in versions.items() if v.state == "QUARANTINED"]
    if not wanted:
        return "QUARANTINED", "; ".join(poisoned)
    if record.announced == wanted:
        return "SERVING", "; ".join(poisoned)
    return "LOADING", versions[wanted[-1]].reason


def since(
    record: ModelRecord, before: ModelRecord | None, state: State, now: datetime
) -> ModelRecord:
    """Return a record in a state, with the time from when it is in it."""
    unchanged = before is not None and before.state == state and before.since
    at = before.since if before is not None and unchanged else now.isoformat(timespec="seconds")
    return record.model_copy(update={"state": state, "since": at})
