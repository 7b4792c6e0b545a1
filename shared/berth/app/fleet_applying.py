"""Carrying out a fleet's plan, in order, under the fleet's lease."""

from dataclasses import dataclass

from berth.app import control, projecting
from berth.app.leasing import HeldLease
from berth.app.moving import Mover
from berth.domain import documents, fleet, names, restarts
from berth.domain.documents import Model, Shard
from berth.domain.fleet_plan import FleetPlan, FleetView
from berth.domain.shrinking import Turn
from berth.ports import Clock, ObjectStore


@dataclass(frozen=True, slots=True)
class FleetApplier:
    """Writes what a plan says; the lease is checked before each write."""

    control: ObjectStore
    clock: Clock
    held: HeldLease

    def apply(self, seen: FleetView, made: FleetPlan) -> None:
        """Carry out a plan that was made under the lease. Raises Unavailable when that is about to end."""
        for creation in made.create:
            self.held.check()
            name = documents.shard_name(creation.shard.shard)
            control.write(self.control, name, creation.shard, if_generation=0)
        for shard_name, servable, projection in made.repair:
            self.held.check()
            projecting.project(self.control, servable, shard_name, projection)
        Mover(self.control, self.clock, self.held, seen.policy.moves).apply(made.moves)
        for shard_name in made.restart:
            self.held.check()
            self._restart(seen.shards[shard_name], made.evidence.get(shard_name, ""))
        for move in made.replace:
            self.held.check()
            self._replace(move)
        for shard_name, servable in made.drop:
            self.held.check()
            self.control.delete(documents.projection_name(shard_name, servable))
        for turn in made.turn:
            self.held.check()
            self._turn(turn)
        for shard_name in made.clear:
            self._clear(shard_name, seen.left[shard_name])

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

    def _turn(self, turn: Turn) -> None:
        """Change a shard's state, unless somebody else did."""

        def edit(known: Shard | None) -> Shard | None:
            if known is None or known.state != turn.before:
                return None
            return known.model_copy(update={"state": turn.state, "reason": turn.reason})

        control.change(self.control, documents.shard_name(turn.shard), Shard, edit)

    def _clear(self, shard: str, objects: tuple[str, ...]) -> None:
        """Delete what is left of a removed shard, the note that it is gone last; its shape stays."""
        noted = documents.status_name(shard)
        left = sorted(objects, key=lambda name: name == noted)
        for name in (documents.routes_name(shard), *left):
            self.held.check()
            self.control.delete(name)

    def _restart(self, seen: Shard, evidence: str) -> None:
        """Order a restart, unless the one that was seen last is no longer the last one."""

        def edit(known: Shard | None) -> Shard | None:
            if known is None or known.restart_at != seen.restart_at:
                return None
            return restarts.ordered(known, self.clock.now(), evidence=evidence)

        control.change(self.control, documents.shard_name(seen.shard), Shard, edit)
