"""Applying a plan: actions in order, each under the shard's lease; the first failure stops."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from berth.app.leasing import WRITE_INTERVAL, HeldLease
from berth.domain import canonical, documents
from berth.domain.errors import Unavailable
from berth.domain.plan import (
    Action,
    Announce,
    ApplyWorkload,
    DeleteWorkload,
    Plan,
    Push,
    ReplacePod,
    WriteBoot,
    WriteLive,
    WriteRoutes,
    WriteStatus,
)
from berth.domain.shard_status import Told
from berth.ports import Clock, ModelServers, ObjectStore, Outbox, Workloads

log = structlog.get_logger()


@dataclass(slots=True)
class Applier:
    """Carries out plans of one pass over one shard; remembers what it told which replica."""

    shard: str
    control: ObjectStore
    workloads: Workloads
    servers: ModelServers
    outbox: Outbox
    clock: Clock
    held: HeldLease
    told: dict[str, Told] = field(default_factory=dict)
    written: dict[str, datetime] = field(default_factory=dict)
    moved: bool = False
    """Whether the last plan changed anything: pushes that no replica took do not."""

    def apply(self, plan: Plan) -> tuple[str, ...]:
        """Take the actions in order; return their names. Raises what the first failure raised."""
        pushes = tuple(action for action in plan.actions if isinstance(action, Push))
        self.moved = len(pushes) < len(plan.actions)
        for action in plan.actions:
            if not isinstance(action, Push):
                self.held.check()
                self._take(action)
        began = self.clock.now()
        if pushes:
            self.held.check()
            with ThreadPoolExecutor(len(pushes)) as pool:
                took = list(pool.map(self._push, pushes))
            self.moved = self.moved or any(took)
        names = tuple(type(action).__name__ for action in plan.actions)
        pushing = (self.clock.now() - began).total_seconds()
        log.info("applied", shard=self.shard, actions=names, push_seconds=pushing)
        return names

    def _take(self, action: Action) -> None:
        if isinstance(action, ApplyWorkload):
            self.workloads.apply(action.manifest)
        elif isinstance(action, DeleteWorkload):
            self.workloads.delete(action.kind, self.shard, uid=action.uid)
        elif isinstance(action, ReplacePod):
            name, reason = action.pod.name, action.reason
            log.warning("replica replaced", shard=self.shard, pod=name, reason=reason)
            self.workloads.delete_pod(name, uid=action.pod.uid)
        elif isinstance(action, Announce):
            self.outbox.announce(action.event)
        else:
            self._store(action)

    def _store(self, action: Action) -> None:
        if isinstance(action, WriteBoot):
            name, generation = documents.boot_name(self.shard), action.if_generation
            self._put(name, action.text.encode(), generation)
        elif isinstance(action, WriteLive):
            name, generation = documents.live_name(self.shard), action.if_generation
            self._put(name, action.text.encode(), generation)
        elif isinstance(action, WriteRoutes):
            name, generation = documents.routes_name(self.shard), action.if_generation
            self._put(name, action.routes.encode(), generation)
        elif isinstance(action, WriteStatus):
            self._status(action)

    def _put(self, name: str, data: bytes, generation: int) -> None:
        self._paced(name, lambda: self.control.put(name, data, if_generation=generation))

    def _status(self, action: WriteStatus) -> None:
        name = documents.status_name(self.shard)
        summary = action.status.summary(self.shard).encode().decode().rstrip()
        self._paced(
            name,
            lambda: self.control.put(
                name,
                action.status.encode(),
                if_generation=action.if_generation,
                metadata={"summary": summary},
            ),
        )

    def _paced(self, name: str, write: Callable[[], int]) -> None:
        """Write at most once a second to one name."""
        last = self.written.get(name)
        wait = (last + WRITE_INTERVAL - self.clock.now()).total_seconds() if last else 0.0
        if wait > 0:
            self.clock.sleep(wait)
            self.held.check()
        write()
        self.written[name] = self.clock.now()

    def _push(self, push: Push) -> bool:
        """Tell one replica; an end that was not seen leaves it untold, so the same bytes go again."""
        try:
            answer = self.servers.reload(
                push.pod.address, push.text, timeout=self.held.seconds_left()
            )
        except Unavailable as error:
            log.warning("push not settled", shard=self.shard, pod=push.pod.name, reason=str(error))
            at = self.clock.now().isoformat()
            self.told[push.pod.key] = Told(
                digest="", at=at, answer=str(error)[:1000], drifts=push.drifts
            )
            return False
        at = self.clock.now().isoformat()
        self.told[push.pod.key] = Told(
            digest=canonical.digest(push.text),
            at=at,
            answer=answer[:1000],
            drifts=push.drifts,
        )
        return True
