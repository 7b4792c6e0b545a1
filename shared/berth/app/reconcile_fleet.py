"""reconcile_fleet: the tick. Shards made, projections repaired, restarts in waves, the inbox swept,
garbage collected.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog

from berth.app import control, leasing, projecting, rooms
from berth.app.collecting import Collecting
from berth.app.leasing import HeldLease
from berth.app.sweeping import Sweeping
from berth.domain import documents, fleet, names, restarts
from berth.domain.documents import Model, Projection, RestartPolicy, Shard
from berth.domain.errors import Damaged, Retryable
from berth.domain.fleet import FirstShards, ModelRow
from berth.domain.garbage import Rubbish
from berth.domain.outcome import Outcome
from berth.domain.requests import FleetTick
from berth.domain.shard_status import ShardStatus
from berth.ports import Clock, ObjectStat, ObjectStore, Outbox

log = structlog.get_logger()
LEASE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """What a tick found to do; empty on an idle fleet."""

    create: tuple[Shard, ...]
    repair: tuple[tuple[str, str, Projection], ...]
    restart: tuple[str, ...]
    replace: tuple[fleet.Replacement, ...] = ()
    drop: tuple[tuple[str, str], ...] = ()
    evidence: Mapping[str, str] = field(default_factory=dict)
    blocked: str = ""
    late: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether nothing is to be written."""
        return not (self.create or self.repair or self.restart or self.replace or self.drop)


@dataclass(frozen=True, slots=True)
class ReconcileFleet:
    """Looks after the whole fleet."""

    uploads: ObjectStore
    control: ObjectStore
    outbox: Outbox
    clock: Clock
    first: FirstShards
    collecting: Collecting

    def handle(self, tick: FleetTick) -> Outcome:
        """Observe by listings, repair what differs under the fleet's lease, ask every shard to pass."""
        shards = rooms.shards(self.control)
        plan = self.plan(shards)
        for late in plan.late:
            log.error("restart did not come back", shard=late, reason=plan.blocked)
        rubbish = self._rubbish(shards) if tick.sweep else Rubbish()
        if not (plan.empty and rubbish.empty):
            answer = leasing.ask(
                self.control, self.clock, documents.FLEET_LEASE, holder=tick.message
            )
            if answer != "acquired":
                return Outcome("deferred", reason="another tick is at work")
            shards = self._act(tick, shards, rubbish)
        if tick.sweep:
            Sweeping(self.uploads, self.control, self.outbox, self.clock).sweep()
            self.outbox.request_admission(*rubbish.resume)
        self.outbox.request_shards(*sorted(shards))
        actions = (
            *(f"create {shard.shard}" for shard in plan.create),
            *(_restarted(shard, plan.evidence.get(shard, "")) for shard in plan.restart),
            *(f"place {move.servable} on {move.target}" for move in plan.replace),
            *(f"drop {servable} from {shard}" for shard, servable in plan.drop),
            *((f"repair {len(plan.repair)} projections",) if plan.repair else ()),
            *rubbish.told,
        )
        idle = plan.empty and rubbish.empty
        reason = "; ".join(word for word in (plan.blocked, rubbish.blocked) if word)
        return Outcome("converged" if idle else "changed", actions=actions, reason=reason)

    def plan(self, shards: Mapping[str, Shard]) -> FleetPlan:
        """Return what the fleet needs now. Reads listings and one summary a shard; writes nothing."""
        summaries = rooms.summaries(self.control, shards)
        policy = control.read(self.control, documents.POLICY, RestartPolicy).document
        wave = restarts.wave(
            shards, summaries, policy=policy or RestartPolicy(), now=self.clock.now()
        )
        models, projected = self._models(), self._projected(shards)
        return FleetPlan(
            create=fleet.missing_shards(shards, self.first),
            repair=(
                *fleet.stale_projections(models, projected),
                *fleet.misplaced_projections(models, projected),
            ),
            restart=wave.restart,
            replace=fleet.replacements(models, summaries, rooms.listed(shards, summaries)),
            drop=self._left(fleet.leavers(models, projected)),
            evidence=wave.evidence,
            blocked=wave.blocked,
            late=wave.late,
        )

    def _rubbish(self, shards: Mapping[str, Shard]) -> Rubbish:
        """What is to be collected: nothing while a document cannot be read, for it may name anything."""
        try:
            return self.collecting.look(shards)
        except Damaged as error:
            log.error("damaged document", reason=str(error))
            return Rubbish()

    def _act(self, tick: FleetTick, shards: dict[str, Shard], rubbish: Rubbish) -> dict[str, Shard]:
        held = leasing.take(
            self.control,
            self.clock,
            documents.FLEET_LEASE,
            holder=tick.message,
            seconds=LEASE_SECONDS,
        )
        if held is None:
            return shards
        try:
            self._carry_out(held)
            self.collecting.carry_out(held, rubbish)
            while not held.leave():
                held.take_up()  # another tick came meanwhile: the next one looks again anyway
        except Retryable:
            held.drop()
            raise
        return rooms.shards(self.control)

    def _carry_out(self, held: HeldLease) -> None:
        shards = rooms.shards(self.control)
        again = self.plan(shards)
        for shard in again.create:
            held.check()
            name = documents.shard_name(shard.shard)
            control.write(self.control, name, shard, if_generation=0)
        for shard_name, servable, projection in again.repair:
            held.check()
            projecting.project(self.control, servable, shard_name, projection)
        for shard_name in again.restart:
            held.check()
            self._restart(shards[shard_name], again.evidence.get(shard_name, ""))
        for move in again.replace:
            held.check()
            self._replace(move)
        for shard_name, servable in again.drop:
            held.check()
            self.control.delete(documents.projection_name(shard_name, servable))

    def _replace(self, move: fleet.Replacement) -> None:
        """Give a model that never served a shard with room; the next tick sees to its old projection."""

        def edit(model: Model | None) -> Model | None:
            if model is None or model.shard != move.shard:
                return None
            return model.model_copy(update={"shard": move.target, "placed": move.placed})

        name = documents.model_name(names.servable(move.servable))
        changed = control.change(self.control, name, Model, edit)
        if changed.document is not None and changed.document.shard == move.target:
            projecting.project_model(self.control, changed.document, changed.generation)

    def _left(self, leavers: tuple[tuple[str, str, int], ...]) -> tuple[tuple[str, str], ...]:
        """Return those that their shard has let go of since it was told to."""
        found = []
        for shard, servable, document in leavers:
            name = documents.status_name(shard)
            status = control.read(self.control, name, ShardStatus).document
            record = status.models.get(servable) if status else None
            if record and record.state == "RETIRED" and record.document >= document:
                found.append((shard, servable))
        return tuple(found)

    def _restart(self, seen: Shard, evidence: str) -> None:
        """Order a restart, unless the one that was seen last is no longer the last one."""

        def edit(known: Shard | None) -> Shard | None:
            if known is None or known.restart_at != seen.restart_at:
                return None
            return restarts.ordered(known, self.clock.now(), evidence=evidence)

        control.change(self.control, documents.shard_name(seen.shard), Shard, edit)

    def _models(self) -> tuple[ModelRow, ...]:
        rows = []
        for stat in self.control.list("models/"):
            try:
                rows.append(_row(stat))
            except Damaged as error:  # its shards carry it on; the others are looked after
                log.error("damaged document", model=stat.name, reason=str(error))
        return tuple(rows)

    def _projected(self, shards: Mapping[str, Shard]) -> dict[tuple[str, str], int]:
        found = {}
        for shard in shards:
            prefix = documents.projections_prefix(shard)
            for stat in self.control.list(prefix):
                key = (shard, stat.name.removeprefix(prefix))
                found[key] = int(stat.metadata.get("document", "0"))
        return found


def _row(stat: ObjectStat) -> ModelRow:
    """Read a model's row from its listing. Raises Damaged."""
    if not stat.metadata.get("shard"):
        raise Damaged("it names no shard")
    places = (stat.metadata["shard"], stat.metadata.get("target", ""))
    return ModelRow(
        servable=stat.name.removeprefix("models/").removesuffix(".json"),
        shards=tuple(place for place in places if place),
        projection=Projection.from_metadata(stat.metadata, document=stat.generation),
        vacant=stat.metadata.get("versions") == "0",
    )


def _restarted(shard: str, evidence: str) -> str:
    return f"restart {shard} ({evidence})" if evidence else f"restart {shard}"
