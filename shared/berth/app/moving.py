"""Moving models: each step is one compare-and-swap of the model's document, and projections after it.

The document must be the one that was looked at: a version that was admitted since, or a deletion, is
looked at first, by the next tick. What a death leaves out of the projections, that tick repairs.
"""

from dataclasses import dataclass

import structlog

from berth.app import control, projecting
from berth.app.leasing import HeldLease
from berth.domain import documents, names
from berth.domain.documents import Model
from berth.domain.errors import Conflict
from berth.domain.last_move import REASON_LENGTH, Move
from berth.domain.moves import Begin, End, Moves, Rehoming
from berth.domain.policy import MovePolicy
from berth.ports import Clock, ObjectStore

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Mover:
    """Carries out what was decided about moves, under the fleet's lease."""

    control: ObjectStore
    clock: Clock
    held: HeldLease
    policy: MovePolicy

    def apply(self, made: Moves) -> None:
        """End moves, then begin others. Raises Unavailable when the lease is about to end."""
        for end in made.end:
            self.held.check()
            self._end(end)
        for begin in made.begin:
            self.held.check()
            self._begin(begin)
        for gone in made.rehome:
            self.held.check()
            self._rehome(gone)

    def _begin(self, begin: Begin) -> None:
        model = self._known(begin)
        if model is None:
            return
        now = self.clock.now()
        before = model.move.remembered(self.policy, now) if model.move else {}
        move = Move(
            source=begin.source,
            target=begin.target,
            reason=begin.reason[:REASON_LENGTH],
            bytes=begin.bytes,
            began=now.isoformat(timespec="seconds"),
            avoided=before,
            placed=begin.placed,
        )
        self._write(begin, model.model_copy(update={"target": begin.target, "move": move}))

    def _end(self, end: End) -> None:
        model = self._known(end)
        if model is None:
            return
        move, now = model.move, self.clock.now()
        update: dict[str, object] = {"target": None}
        if end.abandoned:
            update["move"] = move.abandoned(end.abandoned, self.policy, now) if move else None
        else:
            update["shard"] = end.target
            update["placed"] = move.placed if move else None
            update["move"] = move.finished(now) if move else None
        self._write(end, model.model_copy(update=update))

    def _rehome(self, gone: Rehoming) -> None:
        model = self._known(gone)
        if model is not None:
            self._write(gone, model.model_copy(update={"shard": gone.target, "placed": None}))

    def _known(self, step: Begin | End | Rehoming) -> Model | None:
        """Return a model's document if it is the one that the step was decided from."""
        name = documents.model_name(names.servable(step.servable))
        found = control.read(self.control, name, Model)
        return found.document if found.generation == step.generation else None

    def _write(self, step: Begin | End | Rehoming, model: Model) -> None:
        """Store the document, then tell its shards, and the one that it has left."""
        name = documents.model_name(model.name)
        try:
            generation = control.write(self.control, name, model, if_generation=step.generation)
        except Conflict:
            return  # somebody else changed it: the next tick looks again
        log.info("moves", model=step.servable, shard=model.shard, target=model.target or "")
        projecting.project_model(self.control, model, generation)
        shown = documents.project(model, generation=generation).left()
        for shard in {step.source, step.target} - set(model.shards):
            there = documents.projection_name(shard, step.servable)
            if self.control.stat(there) is not None:
                projecting.project(self.control, step.servable, shard, shown)
