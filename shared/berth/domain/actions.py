"""What a pass over a shard can do, as values: the actions that a plan is made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from berth.domain.model_events import ModelEvent
from berth.domain.observation import Pod
from berth.domain.routing import ShardRoutes
from berth.domain.shard_status import ShardStatus


@dataclass(frozen=True, slots=True)
class ApplyWorkload:
    """Server-side apply of one manifest."""

    kind: str
    manifest: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DeleteWorkload:
    """Delete one object of a shard that is removed; another one of that name stays."""

    kind: str
    uid: str


@dataclass(frozen=True, slots=True)
class ReplacePod:
    """Delete one replica; its Deployment makes another that boots from the boot config."""

    pod: Pod
    reason: str


@dataclass(frozen=True, slots=True)
class WriteBoot:
    """Replace the boot config. `if_generation` 0 means that there is none yet."""

    text: str
    if_generation: int


@dataclass(frozen=True, slots=True)
class WriteLive:
    """Replace the live config: stored before any replica is told."""

    text: str
    if_generation: int


@dataclass(frozen=True, slots=True)
class Push:
    """Tell one replica the live config; `drifts` counts how often it ran another than it had taken."""

    pod: Pod
    text: str
    drifts: int = 0


@dataclass(frozen=True, slots=True)
class Announce:
    """Publish one outcome."""

    event: ModelEvent


@dataclass(frozen=True, slots=True)
class WriteStatus:
    """Replace the status document."""

    status: ShardStatus
    if_generation: int


@dataclass(frozen=True, slots=True)
class WriteRoutes:
    """Replace what routers may send here. `if_generation` 0 means that there is none yet."""

    routes: ShardRoutes
    if_generation: int


Action = (
    ApplyWorkload
    | DeleteWorkload
    | ReplacePod
    | WriteBoot
    | WriteLive
    | Push
    | Announce
    | WriteRoutes
    | WriteStatus
)
