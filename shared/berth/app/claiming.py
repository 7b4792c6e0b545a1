"""Claiming: a version takes its place in the customer's plan before it is probed."""

from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from berth.app import control
from berth.app.control import Held
from berth.domain import documents, ledger
from berth.domain.documents import Model
from berth.domain.errors import BerthError, Conflict, Throttled
from berth.domain.ledger import Answer, Claim, Ledger, Settled
from berth.domain.names import ModelName
from berth.domain.quotas import Quota
from berth.ports import Clock, ObjectStore

# How long an admission waits for the outcome of others, under its lease.
WAIT_SECONDS = 15.0
LOOK_SECONDS = 1.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Look:
    """A ledger, and what was settled when it had been read; `model` is the claimed one's document."""

    known: Held[Ledger]
    settled: Mapping[str, Settled]
    model: Model | None


@dataclass(frozen=True, slots=True)
class Claiming:
    """Reads and writes `ledgers/<customer>.json`. Only who holds a version's lease claims for it."""

    control: ObjectStore
    clock: Clock

    def look(self, name: ModelName) -> Look:
        """Read the ledger, and after it what is settled. The order is what makes a claim safe."""
        known = control.read(self.control, documents.ledger_name(name.customer), Ledger)
        model = control.read(self.control, documents.model_name(name), Model).document
        prefix = f"models/{name.customer}."
        settled = {
            stat.name.removeprefix(prefix).removesuffix(".json"): ledger.listed(stat.metadata)
            for stat in self.control.list(prefix)
        }
        if model is not None:  # its document knows every number, a listing the newest
            settled[name.model] = ledger.held(model)
        return Look(known, settled, model)

    def claim(self, name: ModelName, claim: Claim, quota: Quota, look: Look) -> Answer:
        """Reserve the place, waiting a bounded time for others; return what came of it.

        Races that are lost for all that time count as others being judged.
        """
        answer = self._try(name, claim, quota, look)
        ends = self.clock.now().timestamp() + WAIT_SECONDS
        while answer.word == "busy" and self.clock.now().timestamp() < ends:
            self.clock.sleep(LOOK_SECONDS)
            answer = self._try(name, claim, quota, self.look(name))
        return answer

    def release(self, name: ModelName, claim: Claim) -> None:
        """Give the place back, or to what is settled now. Best effort: a reservation ends by itself."""
        try:
            control.change(
                self.control,
                documents.ledger_name(name.customer),
                Ledger,
                lambda known: None if known is None else ledger.released(known, claim),
            )
        except BerthError as error:
            log.warning("reservation not released", place=claim.key, reason=str(error))

    def _try(self, name: ModelName, claim: Claim, quota: Quota, look: Look) -> Answer:
        for _ in range(control.MAX_RACES):
            known = look.known.document or Ledger()
            answer = ledger.decide(known, look.settled, claim, quota=quota, now=self.clock.now())
            if answer.ledger is None or answer.ledger == known:
                return answer
            try:
                self._write(name, answer.ledger, look.known.generation)
            except Conflict:
                look = self.look(name)
            except Throttled:
                break
            else:
                return answer
        return Answer("busy", "too many uploads of the customer are being judged at once")

    def _write(self, name: ModelName, known: Ledger, generation: int) -> None:
        path = documents.ledger_name(name.customer)
        control.write(self.control, path, known, if_generation=generation)
