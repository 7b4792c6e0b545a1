"""What the next pass of a shard is about to do, as far as the control bucket tells.

A pass looks at the cluster and asks every server; this looks at what the shard is to serve and at what its
last pass wrote down. So it tells what is open, not each safe step on the way there.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from berth.domain import loads, rollout
from berth.domain.canonical import Document
from berth.domain.documents import Projection, Shard
from berth.domain.shard_status import ModelRecord, ShardStatus

Kind = Literal["begin", "restart", "load", "wait", "let go", "carry forward", "tell", "replicas"]

UNKNOWN = (
    "pods, servers and workload objects as they are now: only the shard's own pass looks at the cluster",
)


class PassStep(Document):
    """One thing that is open on a shard; bytes of all replicas together, seconds of one."""

    kind: Kind
    subject: str
    reason: str
    bytes: int = 0
    seconds: float = 0.0


class ForetoldPass(Document):
    """A shard's plan at one moment (RFC 3339)."""

    at: str
    shard: str
    steps: tuple[PassStep, ...]
    bytes: int
    seconds: float
    unknown: tuple[str, ...] = UNKNOWN


@dataclass(frozen=True, slots=True)
class ShardView:
    """A shard in the control bucket: shape, projections, what its last pass wrote, the live config's digest."""

    now: datetime
    shape: Shard
    projections: Mapping[str, Projection]
    status: ShardStatus | None
    live_digest: str


def foretell(seen: ShardView) -> ForetoldPass:
    """Return what the shard's next passes have to do."""
    steps = tuple(_steps(seen))
    return ForetoldPass(
        at=seen.now.isoformat(timespec="seconds"),
        shard=seen.shape.shard,
        steps=steps,
        bytes=sum(step.bytes for step in steps),
        seconds=round(sum(step.seconds for step in steps), 3),
    )


def _steps(seen: ShardView) -> Iterator[PassStep]:
    if seen.status is None:
        yield PassStep(kind="begin", subject=seen.shape.shard, reason="it had no pass yet")
        return
    yield from _replicas(seen, seen.status)
    for name in sorted({*seen.projections, *seen.status.models}):
        record = seen.status.models.get(name)
        projection = seen.projections.get(name)
        if projection is not None:
            yield from _model(seen, name, projection, record)
        elif record is not None and record.announced:
            reason = "it serves and has no projection: nothing is unloaded for that"
            yield PassStep(kind="carry forward", subject=name, reason=reason)


def _replicas(seen: ShardView, status: ShardStatus) -> Iterator[PassStep]:
    if seen.shape.restart_at != status.restart_at:
        reason = f"a restart was ordered at {seen.shape.restart_at}"
        yield PassStep(kind="restart", subject=seen.shape.shard, reason=reason)
    ready = [replica for replica in status.replicas if replica.ready]
    if len(ready) < seen.shape.replicas_min:
        reason = f"{len(ready)} of at least {seen.shape.replicas_min} were ready"
        yield PassStep(kind="replicas", subject=seen.shape.shard, reason=reason)
    for replica in ready:
        told = status.told.get(replica.key)
        if told is not None and told.digest != seen.live_digest:
            reason = "it was told another config than the newest one"
            yield PassStep(kind="tell", subject=replica.name, reason=reason)


def _model(
    seen: ShardView, name: str, projection: Projection, record: ModelRecord | None
) -> Iterator[PassStep]:
    announced = record.announced if record else ()
    wanted = rollout.wanted_versions(projection, record.quarantined if record else {})
    wanted = () if projection.retired else wanted
    for number in sorted(set(wanted) - set(announced)):
        yield _load(seen, name, number, record)
    gone = sorted(set(announced) - set(wanted))
    if gone and (projection.retired or set(wanted) <= set(announced)):
        reason = (
            "nothing of the model is wanted here any more" if not wanted else "newer ones serve"
        )
        versions = ", ".join(map(str, gone))
        yield PassStep(kind="let go", subject=name, reason=f"versions {versions}: {reason}")


def _load(seen: ShardView, name: str, number: int, record: ModelRecord | None) -> PassStep:
    known = record.versions.get(number) if record else None
    waits = record is not None and record.state == "PENDING"
    why = (known.reason if known else "") or (record.reason if record and waits else "")
    footprint = seen.projections[name].versions[number]
    replicas = max(seen.shape.replicas_min, len(seen.status.replicas) if seen.status else 0)
    return PassStep(
        kind="wait" if waits else "load",
        subject=f"{name}/{number}",
        reason=why or "it is wanted and not announced",
        bytes=0 if waits else replicas * footprint.resident_bytes,
        seconds=0.0 if waits else round(loads.live_seconds([footprint]), 3),
    )
