"""Placing: an admitted version enters its model's document, and the document its shard."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from berth.app import owning, rooms
from berth.domain import accounts, placement
from berth.domain.documents import AdmittedVersion, Customer, Footprint, Model
from berth.domain.errors import Unavailable
from berth.domain.names import ModelName, VersionName
from berth.domain.placement import Decision, Room, Wanted
from berth.ports import ObjectStore, Outbox

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Placing:
    """Writes model documents."""

    control: ObjectStore
    outbox: Outbox

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
            placed, shard = self._placed(version.model, admitted.footprint, account)
            return Model(
                customer=version.model.customer,
                model=version.model.model,
                base_path=version.model.folder.rstrip("/"),
                versions={version.number: admitted},
                wants=accounts.wants(account),
                shard=shard,
                placed=placed,
            )

        return make

    def _placed(
        self, name: ModelName, footprint: Footprint, account: Customer
    ) -> tuple[Decision, str]:
        """Decide on a shard; return the decision, and the shard: where none has room, the emptiest, which
        lets it wait with a reason. Others are looked at only where the home shard is not welcome.

        Raises Unavailable while there is no shard at all.
        """
        wanted = Wanted(
            name.servable,
            footprint,
            home=account.home_shard,
            pool=account.pool,
            held=self._held(name.customer),
        )
        home = rooms.room(self.control, account.home_shard)
        ours = home is not None and home.pool == account.pool
        if home and ours and not (home.against(footprint) or placement.unwelcome(home, wanted)):
            known: tuple[Room, ...] = (home,)
        else:
            known = rooms.settled(self.control, lambda some: placement.place(wanted, some).shard)
        decision = placement.place(wanted, known)
        shard = decision.shard or placement.emptiest(known, pool=account.pool)
        if shard is None:
            raise Unavailable("its pool has no shard yet: the next tick makes the first ones")
        log.info("placed", shard=decision.shard, reason=decision.reason, looked_at=len(known))
        return decision, shard

    def _held(self, customer: str) -> Counter[str]:
        """How many models of a customer each shard has: one listing."""
        listed = self.control.list(f"models/{customer}.")
        return Counter(stat.metadata.get("shard", "") for stat in listed)
