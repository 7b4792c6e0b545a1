"""Observing the fleet: two listings, by pages; a whole status only where the plan asks for it."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import structlog

from berth.app import control, rooms
from berth.domain import documents, fleet_plan
from berth.domain.documents import Policy, Projection
from berth.domain.errors import Damaged
from berth.domain.fleet import ModelRow
from berth.domain.fleet_plan import FleetView
from berth.domain.last_move import Move
from berth.domain.shard_status import ShardStatus
from berth.ports import Clock, ObjectStat, ObjectStore

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class FleetObserver:
    """Reads the control bucket; writes nothing."""

    control: ObjectStore
    clock: Clock

    def observe(self) -> FleetView:
        """Return one look at the fleet.

        Raises Damaged for a shard without a shape. A model whose document does not parse is left out and
        reported: its shards carry it on, and the others are looked after.
        """
        with ThreadPoolExecutor(2) as pool:
            listed = pool.submit(rooms.look, self.control)
            models = self._models()
            policy = control.read(self.control, documents.POLICY, Policy).document
            found = listed.result()
        return FleetView(
            now=self.clock.now(),
            policy=policy or Policy(),
            shards=found.shards,
            summaries=found.summaries,
            models=models,
            projected=found.projected,
            statuses=self._statuses(
                fleet_plan.asked(models, found.projected, found.shards, found.summaries)
            ),
            left=found.left,
        )

    def _models(self) -> tuple[ModelRow, ...]:
        rows = []
        for stat in self.control.list("models/"):
            try:
                rows.append(_row(stat))
            except Damaged as error:
                log.error("damaged document", model=stat.name, reason=str(error))
        return tuple(rows)

    def _statuses(self, shards: Iterable[str]) -> dict[str, ShardStatus]:
        """Read each of these shards' status once; a shard that had no pass has none."""
        asked = list(shards)
        with ThreadPoolExecutor(rooms.PARALLEL_READS) as pool:
            found = zip(asked, pool.map(self._status, asked), strict=True)
            return {shard: status for shard, status in found if status is not None}

    def _status(self, shard: str) -> ShardStatus | None:
        return control.read(self.control, documents.status_name(shard), ShardStatus).document


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
        pool=stat.metadata.get("pool", ""),
        move=Move.decode(moved) if (moved := stat.metadata.get("move", "")) else None,
    )
