"""Turns: of the loads that the servables of a shard want, those that begin now (see batches)."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from berth.domain import batches, records, serving_config
from berth.domain.batches import Load
from berth.domain.deaths import TRIAL
from berth.domain.observation import Observation
from berth.domain.rollout import Step
from berth.domain.serving_config import Entry
from berth.domain.shard_status import State

WAITS = "waits for its turn to load"


def taken(steps: Mapping[str, Step], seen: Observation) -> dict[str, Step]:
    """Return the steps without the loads that have to wait; these are PENDING, with the reason."""
    waiting = [load for name, step in steps.items() for load in _additions(name, step, seen)]
    loading = [
        _load(name, number, steps[name], seen)
        for name, number in seen.unproven
        if name in steps and _under_way(number, steps[name])
    ]
    begun = batches.begin(waiting, loading, now=seen.now, trial=_trial(steps, seen))
    held = batches.held(begun, waiting)
    return {
        name: _waiting(name, step, step.live, held[name], seen)
        if step.live and name in held
        else step
        for name, step in steps.items()
    }


def _additions(name: str, step: Step, seen: Observation) -> list[Load]:
    """What a step adds. Where nothing else of the servable stays it is no addition but a replacement:
    to take a name away and to bring it back a moment later may hold TF Serving's reload for ever.
    """
    now = seen.live.entries.get(name) if seen.live else None
    there = set(now.versions) if now else set()
    wanted = set(step.live.versions) if step.live else set()
    if there and not there & wanted:
        return []
    return [_load(name, number, step, seen) for number in sorted(wanted - there)]


def _load(name: str, number: int, step: Step, seen: Observation) -> Load:
    projection = seen.projections.get(name)
    footprint = projection.versions.get(number) if projection else None
    held = step.record.quarantined.get(number)
    return Load(
        name=name,
        number=number,
        seconds=footprint.load_seconds if footprint else 0.0,
        waiting_since=datetime.fromisoformat(step.record.since) if step.record.since else seen.now,
        alone=held is not None and held.alone,
    )


def _under_way(number: int, step: Step) -> bool:
    """Whether a version is still to be loaded, and not on its way into the boot config or out."""
    booted = step.boot.versions if step.boot else ()
    named = step.live.versions if step.live else ()
    return number in named and number not in booted


def _trial(steps: Mapping[str, Step], seen: Observation) -> bool:
    """Whether a suspect is about to be announced, or was a moment ago: the next one waits for its first
    requests.
    """
    return any(
        _tried(name, number, step, seen)
        for name, step in steps.items()
        for number, held in step.record.quarantined.items()
        if held.alone and not held.active
    )


def _tried(name: str, number: int, step: Step, seen: Observation) -> bool:
    version = step.record.versions.get(number)
    if number in step.record.announced:
        since = version.since if version else ""
        return bool(since) and seen.now - datetime.fromisoformat(since) < TRIAL
    told = seen.live.entries.get(name) if seen.live else None
    return told is not None and number in told.versions


def _waiting(
    name: str, step: Step, wanted: Entry, numbers: frozenset[int], seen: Observation
) -> Step:
    left = tuple(n for n in wanted.versions if n not in numbers)
    versions = {
        number: version.model_copy(update={"state": "PENDING", "reason": WAITS})
        if number in numbers
        else version
        for number, version in step.record.versions.items()
    }
    record = step.record.model_copy(update={"versions": versions, "reason": WAITS})
    if not set(left) - set(record.announced):
        state: State = "SERVING" if record.announced else "PENDING"
        record = records.since(record, seen.status.models.get(name), state, seen.now)
    live = serving_config.entry(wanted.base_path, left) if left else None
    return replace(step, live=live, record=record)
