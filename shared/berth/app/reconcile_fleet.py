"""reconcile_fleet: the tick. The fleet is observed, the difference carried out under its lease, the
inbox swept, garbage collected, and every shard asked for a pass.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from berth.app import leasing
from berth.app.collecting import Collecting
from berth.app.fleet_applying import FleetApplier
from berth.app.fleet_observing import FleetObserver
from berth.app.sweeping import Sweeping
from berth.domain import documents, fleet_plan
from berth.domain.documents import Shard
from berth.domain.errors import Damaged, Retryable
from berth.domain.fleet import FirstShards
from berth.domain.fleet_plan import FleetPlan, FleetView
from berth.domain.garbage import Rubbish
from berth.domain.outcome import Outcome
from berth.domain.requests import FleetTick
from berth.ports import Clock, ObjectStore, Outbox

log = structlog.get_logger()
LEASE_SECONDS = 120.0


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
        seen = self._observer.observe()
        plan = fleet_plan.make(seen, self.first)
        for late in plan.late:
            log.error("restart did not come back", shard=late, reason=plan.blocked)
        for reason in plan.short:
            log.error("fleet full", reason=reason)
        shards = _present(seen)
        rubbish = self._rubbish(shards) if tick.sweep else Rubbish()
        idle = plan.empty and rubbish.empty
        if not idle:
            answer = leasing.ask(
                self.control, self.clock, documents.FLEET_LEASE, holder=tick.message
            )
            if answer != "acquired":
                return Outcome("deferred", reason="another tick is at work")
            shards = self._act(tick, shards, rubbish)
        if tick.sweep:
            Sweeping(self.uploads, self.control, self.outbox, self.clock).sweep()
            self.outbox.request_admission(*rubbish.resume)
        # A sweep asks those that are removed, too: nothing is to be left of them.
        self.outbox.request_shards(*sorted(shards | seen.shards if tick.sweep else shards))
        said = (plan.blocked, *plan.short, plan.moves.waits, rubbish.blocked)
        reason = "; ".join(word for word in said if word)
        actions = (*plan.actions, *rubbish.told)
        return Outcome("converged" if idle else "changed", actions=actions, reason=reason)

    def plan(self) -> FleetPlan:
        """Return what the next tick would do. Reads only."""
        return fleet_plan.make(self._observer.observe(), self.first)

    @property
    def _observer(self) -> FleetObserver:
        return FleetObserver(self.control, self.clock)

    def _rubbish(self, shards: Mapping[str, Shard]) -> Rubbish:
        """What is to be collected: nothing while a document cannot be read, for it may name anything."""
        try:
            return self.collecting.look(shards)
        except Damaged as error:
            log.error("damaged document", reason=str(error))
            return Rubbish()

    def _act(self, tick: FleetTick, shards: dict[str, Shard], rubbish: Rubbish) -> dict[str, Shard]:
        """Look again and act under the lease; return the shards as they then are."""
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
            again = self._observer.observe()
            plan = fleet_plan.make(again, self.first)
            FleetApplier(self.control, self.clock, held).apply(again, plan)
            self.collecting.carry_out(held, rubbish)
            while not held.leave():
                held.take_up()  # another tick came meanwhile: the next one looks again anyway
        except Retryable:
            held.drop()
            raise
        made = {creation.shard.shard: creation.shard for creation in plan.create}
        return _present(again) | made


def _present(seen: FleetView) -> dict[str, Shard]:
    """The shards of which there is more than their shape: the others are removed, and nothing is left."""
    return {
        name: shape
        for name, shape in seen.shards.items()
        if shape.state != "removed" or seen.left.get(name)
    }
