"""Placing: an admitted version enters its model's document, and the document its shard."""

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from berth.app import owning, rooms
from berth.domain import accounts, placement
from berth.domain.documents import AdmittedVersion, Customer, Footprint, Model, Wants
from berth.domain.errors import Unavailable
from berth.domain.names import VersionName
from berth.domain.placement import Decision
from berth.ports import ObjectStore, Outbox

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Placing:
    """Writes model documents."""

    control: ObjectStore
    outbox: Outbox
    draw: Callable[[int], int]

    def place(self, version: VersionName, admitted: AdmittedVersion, account: Customer) -> str:
        """Add the version to its model, project it, ask for a pass; return the shard.

        A version that is there already stays as it is: an admission that died may come again much
        later, when the version was deleted or moved.
        """
        fresh = self._fresh(version, admitted, account)

        def edit(model: Model | None) -> Model | None:
            if model is None:
                return fresh()
            if version.number in model.versions:
                return None
            model = accounts.under(model, account)
            versions = {**model.versions, version.number: admitted}
            return model.model_copy(update={"versions": versions})

        held = owning.change(self.control, version.model, edit, at=admitted.admitted_at)
        if held.document is None:
            raise Unavailable("the model's document vanished")
        self.outbox.request_shards(*held.document.shards)
        return held.document.shard

    def _fresh(
        self, version: VersionName, admitted: AdmittedVersion, account: Customer
    ) -> Callable[[], Model]:
        """Return a maker of a new model's document: the shard is chosen only if it is needed."""

        def make() -> Model:
            placed = self._placed(admitted.footprint, account.home_shard)
            return Model(
                customer=version.model.customer,
                model=version.model.model,
                base_path=version.model.folder.rstrip("/"),
                versions={version.number: admitted},
                wants=Wants(account_revision=account.state_revision),
                shard=placed.shard or account.home_shard,
                placed=placed,
            )

        return make

    def _placed(self, footprint: Footprint, home: str) -> Decision:
        """Choose a shard; the others are looked at only where the home shard has no room."""
        room = rooms.room(self.control, home)
        at_home = room is not None and room.fits(footprint)
        known = (room,) if room and at_home else rooms.active(self.control)
        decision = placement.place(footprint, known, home=home, draw=self.draw)
        log.info("placed", shard=decision.shard, reason=decision.reason, looked_at=len(known))
        return decision
