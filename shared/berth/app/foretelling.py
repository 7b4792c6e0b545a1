"""Foretelling: what the next tick of the fleet, or the next pass of a shard, would do. Writes nothing."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from berth.app import control
from berth.app.fleet_observing import FleetObserver
from berth.app.rooms import PARALLEL_READS
from berth.domain import canonical, documents, fleet_plan, foretold_pass, foretold_steps
from berth.domain.documents import Projection, Shard
from berth.domain.errors import NotFound
from berth.domain.fleet import FirstShards
from berth.domain.foretelling import Foretold
from berth.domain.foretold_pass import ForetoldPass, ShardView
from berth.domain.foretold_steps import Rates
from berth.domain.shard_status import ShardStatus
from berth.ports import Clock, ObjectStore


@dataclass(frozen=True, slots=True)
class Foretelling:
    """Makes the tick's own plan from the tick's own look, and tells it."""

    control: ObjectStore
    clock: Clock
    first: FirstShards
    rates: Rates

    def fleet(self) -> Foretold:
        """Return what the next tick would do. Raises what the tick's look raises."""
        seen = FleetObserver(self.control, self.clock).observe()
        made = fleet_plan.make(seen, self.first)
        return foretold_steps.foretell(seen, made, self.rates, self._statuses(made))

    def shard(self, shard: str) -> ForetoldPass:
        """Return what a shard's next passes have to do. Raises NotFound."""
        shape = control.read(self.control, documents.shard_name(shard), Shard).document
        if shape is None:
            raise NotFound(f"there is no shard {shard[:60]!a}")
        live = self.control.get(documents.live_name(shard))
        prefix = documents.projections_prefix(shard)
        projections = {
            stat.name.removeprefix(prefix): Projection.from_metadata(stat.metadata)
            for stat in self.control.list(prefix)
        }
        return foretold_pass.foretell(
            ShardView(
                now=self.clock.now(),
                shape=shape,
                projections=projections,
                status=self._status(shard),
                live_digest=canonical.digest(live.data) if live is not None else "",
            )
        )

    def _statuses(self, made: fleet_plan.FleetPlan) -> dict[str, ShardStatus]:
        asked = foretold_steps.touched(made)
        with ThreadPoolExecutor(PARALLEL_READS) as pool:
            found = zip(asked, pool.map(self._status, asked), strict=True)
            return {shard: status for shard, status in found if status is not None}

    def _status(self, shard: str) -> ShardStatus | None:
        return control.read(self.control, documents.status_name(shard), ShardStatus).document
