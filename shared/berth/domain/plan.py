"""Desired minus observed, as data: the actions of one look at a shard, in the order they are taken.

The plan is what is logged, tested, dry-run and counted. Nothing to do is the empty plan.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from berth.domain import (
    capacity,
    deaths,
    evidence,
    pilot,
    removal,
    rollout,
    routing,
    serving_config,
    turns,
    workload,
)
from berth.domain.actions import Action as Action
from berth.domain.actions import Announce as Announce
from berth.domain.actions import ApplyWorkload as ApplyWorkload
from berth.domain.actions import DeleteWorkload as DeleteWorkload
from berth.domain.actions import Push as Push
from berth.domain.actions import ReplacePod as ReplacePod
from berth.domain.actions import WriteBoot as WriteBoot
from berth.domain.actions import WriteLive as WriteLive
from berth.domain.actions import WriteRoutes as WriteRoutes
from berth.domain.actions import WriteStatus as WriteStatus
from berth.domain.model_events import ModelEvent
from berth.domain.observation import Observation, Pod, StoredConfig
from berth.domain.shard_status import ModelRecord, ReplicaStatus, ShardStatus

PUSH_PATIENCE = timedelta(seconds=120)


@dataclass(frozen=True, slots=True)
class Plan:
    """The actions of one look, and the servables whose rollout is still open after them.

    `until`: the next moment at which there is more to do, by the passing of time alone.
    """

    actions: tuple[Action, ...]
    open: tuple[str, ...] = field(default=())
    until: datetime | None = None

    @property
    def done(self) -> bool:
        """Whether nothing is to be done, nor to be waited for."""
        return not (self.actions or self.open or self.until)


@dataclass(frozen=True, slots=True)
class Frame:
    """What a deployment fixes: where servers see the models bucket, and the rendered manifests."""

    mount: str
    manifests: tuple[Mapping[str, Any], ...]


def make(seen: Observation, frame: Frame) -> Plan:
    """Return what to do next for one shard. Pure: the same observation gives the same plan."""
    if removal.due(seen):
        return Plan(removal.actions(seen))
    # What neither a projection nor a config names is forgotten; a config's entry is carried forward.
    configs = [config for config in (seen.boot, seen.live) if config is not None]
    names = set(seen.projections).union(*(config.entries for config in configs))
    fits = capacity.fitting(seen)
    judged = deaths.judge(seen)
    steps = turns.taken(
        {
            name: rollout.step(
                name,
                seen,
                mount=frame.mount,
                fits=name not in seen.projections or name in fits,
                killers=judged.suspects.get(name),
            )
            for name in sorted(names)
        },
        seen,
    )
    boot = serving_config.render({n: s.boot for n, s in steps.items() if s.boot is not None})
    live = serving_config.render({n: s.live for n, s in steps.items() if s.live is not None})
    said = {name: _events(name, step.record, seen) for name, step in steps.items()}
    records = {n: _counted(s.record, said[n]) for n, s in steps.items()}
    status = _status(seen, evidence.weighed(seen, records), judged.deaths)
    announcements = tuple(Announce(event) for name in sorted(said) for event in said[name])
    config = _config_actions(seen, boot, live, withdrawn=bool(judged.suspects))
    actions: list[Action] = [*_workload_actions(seen, frame), *config[0], *announcements]
    quiet, waits = not actions and not config[1], _open(steps)
    actions += _routes(seen, records, idle=quiet and not waits)
    if status != seen.status and (announcements or quiet or _judged(seen, status)):
        actions.append(WriteStatus(status, seen.status_generation))
    actions += config[1]
    until = min((step.until for step in steps.values() if step.until), default=None)
    return Plan(tuple(actions), open=waits, until=until)


def _config_actions(
    seen: Observation, boot: str, live: str, *, withdrawn: bool
) -> tuple[tuple[Action, ...], tuple[Action, ...]]:
    """Return the boot config's write (before announcing) and the live config's way to the replicas.

    `withdrawn`: the stored live config names what ends processes, and no replica is told it any more.
    """
    first: tuple[Action, ...] = ()
    if seen.boot is None or seen.boot.text != boot:
        first = (WriteBoot(boot, seen.boot.generation if seen.boot else 0),)
    untold = pilot.untold(seen)
    if seen.live is not None and untold and not withdrawn:
        return first, _tell(seen, untold, seen.live)
    if seen.live is None or seen.live.text != live:
        write = WriteLive(live, seen.live.generation if seen.live else 0)
        told = pilot.first(seen, boot=boot, live=live)
        return first, (write, *(Push(pod, live) for pod in told))
    return first, ()


def _routes(
    seen: Observation, records: Mapping[str, ModelRecord], *, idle: bool
) -> tuple[WriteRoutes, ...]:
    """Return the write of the routes: at once where that is urgent, else when the shard is idle."""
    configs = [config for config in (seen.boot, seen.live) if config is not None]
    configured = frozenset[str]().union(*(config.entries for config in configs))
    sources = routing.Sources(seen.projections, records, configured)
    wanted = routing.made(seen.shard.shard, sources, seen.routes, seen.now)
    if routing.same(seen.routes, wanted) or not (idle or routing.urgent(seen.routes, wanted)):
        return ()
    return (WriteRoutes(wanted, seen.routes.generation if seen.routes else 0),)


def _tell(
    seen: Observation, untold: tuple[tuple[Pod, StoredConfig], ...], live: StoredConfig
) -> tuple[Action, ...]:
    """Send the same bytes again, until patience ends: then a replica is replaced, not the shard.

    One at a time and only while enough serve: what fails may be our way to them, not they.
    """
    spare = len(seen.serving) >= seen.shard.replicas_min
    late = tuple(pod for pod, _ in untold if _late(seen, pod, live))[: int(spare)]
    reason = "its server did not take the live config in time"
    return tuple(
        ReplacePod(pod, reason) if pod in late else _again(seen, pod, config)
        for pod, config in untold
    )


def _again(seen: Observation, pod: Pod, config: StoredConfig) -> Push:
    told = seen.told.get(pod.key)
    return Push(pod, config.text, (told.drifts if told else 0) + int(seen.drifted(pod)))


def _late(seen: Observation, pod: Pod, live: StoredConfig) -> bool:
    """Whether a replica was tried in vain for longer than a load of the slowest model may take."""
    told = seen.told.get(pod.key)
    tried = told is not None and not told.digest
    since = max(pod.started_at or seen.now, live.updated)
    loads = [f.load_seconds for p in seen.projections.values() for f in p.versions.values()]
    return tried and seen.now - since > PUSH_PATIENCE + timedelta(
        seconds=10 * max(loads, default=0)
    )


def _workload_actions(seen: Observation, frame: Frame) -> tuple[Action, ...]:
    if seen.boot is None:
        return ()  # a server must find a boot config before it is started
    return tuple(
        ApplyWorkload(manifest["kind"], workload.with_token(manifest, seen.workload.objects))
        for manifest in frame.manifests
        if workload.drifted(manifest, seen.workload.objects.get(manifest["kind"]))
    )


def _status(
    seen: Observation, records: Mapping[str, ModelRecord], deaths: tuple[str, ...]
) -> ShardStatus:
    against = evidence.found(seen, records)
    replicas = tuple(
        ReplicaStatus(
            name=pod.name,
            key=pod.key,
            address=pod.address,
            ready=pod.serving,
            started_at=pod.started_at.isoformat() if pod.started_at else "",
            reason=pod.reason,
            evidence=against.get(pod.key, ""),
        )
        for pod in seen.workload.pods
        if not pod.terminating
    )
    alive = [pod for pod in seen.workload.pods if not pod.terminating]
    present = {key for pod in alive for key in (pod.key, pod.ended_key)}
    return ShardStatus(
        replicas=replicas,
        told={key: told for key, told in sorted(seen.told.items()) if key in present},
        models=dict(sorted(records.items())),
        capacity=capacity.used(seen),
        restart_at=seen.shard.restart_at,
        deaths=deaths,
    )


def _events(name: str, record: ModelRecord, seen: Observation) -> tuple[ModelEvent, ...]:
    """Return what has changed for the outside since the status document was written.

    Of a model that moves its home tells, and its target when it has become that. What nobody serves any
    more is told by the one that is left, too: its new home may never have served it.
    """
    told = seen.status.models.get(name)
    home = told is not None and not told.elsewhere
    old, known = (told.announced, told.quarantined) if told else ((), {})
    if record.elsewhere:
        kept = rollout.wanted_versions(seen.projections[name], known) if home else old
        said = [("retired", n, "") for n in sorted(set(old) - set(kept))]
    else:
        new = set(record.announced)
        said = [
            *(("serving", n, "") for n in sorted(new - set(old if home else ()))),
            *(("retired", n, "") for n in sorted(set(old) - new)),
            *(
                ("quarantined", n, held.reason)
                for n, held in record.quarantined.items()
                if held.active and known.get(n) != held
            ),
        ]
    where, revision = seen.shard.shard, str(record.said)
    return tuple(
        ModelEvent(kind, name, n, reason=reason, shard=where, revision=revision)
        for kind, n, reason in said
    )


def _counted(record: ModelRecord, events: tuple[ModelEvent, ...]) -> ModelRecord:
    return record.model_copy(update={"said": record.said + 1}) if events else record


def _judged(seen: Observation, status: ShardStatus) -> bool:
    """Whether something changed that the next look must remember, or it would turn back."""
    return _memory(seen.status) != _memory(status)


def _memory(status: ShardStatus) -> tuple[object, ...]:
    """What the next look cannot see for itself: what is announced, quarantines, deaths judged, pushes
    without an end.
    """
    held = {n: r.quarantined for n, r in status.models.items() if r.quarantined}
    announced = {n: r.announced for n, r in status.models.items() if r.announced}
    unsettled = {key for key, told in status.told.items() if not told.digest}
    return held, announced, status.deaths, unsettled


def _open(steps: Mapping[str, rollout.Step]) -> tuple[str, ...]:
    """Servables that a pass should wait for: on their way on the replicas, or waiting for replicas.

    What only leaves, and is kept for routers, waits for no replica.
    """
    return tuple(
        name
        for name, step in steps.items()
        if step.record.state == "LOADING" and (step.record.announced or not step.until)
    )
