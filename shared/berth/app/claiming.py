"""Claiming: a version takes its place in the customer's plan before it is probed, or waits for its turn.

Nobody waits inside a delivery for another version's verdict: what waits is noted in `waiting/`, and the
judge who gives a place back asks for its admission. The note is written before the ledger is read once
more, the place given back before the notes are listed: one of the two sees the other. What a death in
between forgets, the sweep finds.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from berth.app import control
from berth.app.control import Held
from berth.domain import documents, ledger, names
from berth.domain.documents import Admission, Model
from berth.domain.errors import BerthError, Conflict, Throttled
from berth.domain.ledger import Answer, Claim, Ledger, Settled
from berth.domain.names import ModelName, VersionName
from berth.domain.quotas import Quota
from berth.ports import Clock, ObjectStore, Outbox

# A ledger takes about one write a second: how often and how long it is waited for, under a version's lease.
MAX_WAITS = 5
WAIT_SECONDS = 1.0
# How many of those that wait are looked at when a place is free.
MAX_CALLED = 64

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Look:
    """A ledger, and what was settled when it had been read; `model` is the claimed one's document."""

    known: Held[Ledger]
    settled: Mapping[str, Settled]
    model: Model | None


@dataclass(frozen=True, slots=True)
class Claiming:
    """Reads and writes `ledgers/<customer>.json` and `waiting/`. Only who holds a version's lease claims for it."""

    control: ObjectStore
    outbox: Outbox
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
        """Reserve the place, or note that the version waits for its turn; return what came of it.

        Too many lost races count as others being judged.
        """
        answer = self._try(name, claim, quota, look)
        if answer.word != "busy":
            return answer
        try:
            note = documents.waiting_name(VersionName(name, claim.place.number))
            self.control.put(note, b"{}", if_generation=0)
        except Conflict:
            pass  # it waits already
        return self._try(name, claim, quota, self.look(name))

    def ask(self, name: ModelName, claim: Claim, quota: Quota) -> Answer:
        """Say what would come of a claim, without making it."""
        look = self.look(name)
        known = look.known.document or Ledger()
        return ledger.decide(known, look.settled, claim, quota=quota, now=self.clock.now())

    def release(self, version: VersionName, claim: Claim | None, quota: Quota) -> None:
        """Give a version's place back as it gets its verdict, and call others that wait.

        Best effort: a reservation ends by itself, and the sweep calls too.
        """
        try:
            if claim is not None:
                control.change(
                    self.control,
                    documents.ledger_name(version.model.customer),
                    Ledger,
                    lambda known: None if known is None else ledger.released(known, claim),
                )
            self._call(version, quota)
        except BerthError as error:
            place = claim.key if claim is not None else ""
            log.warning("reservation not released", place=place, reason=str(error))

    def _call(self, done: VersionName, quota: Quota) -> None:
        """Ask for the admission of as many others that wait as there are free places."""
        customer = done.model.customer
        prefix = documents.waiting_prefix(customer)
        notes = self.control.list(prefix, limit=MAX_CALLED)
        if not notes:
            return
        held = control.read(self.control, documents.ledger_name(customer), Ledger)
        known = held.document or Ledger()
        left = ledger.free(known, quota=quota, now=self.clock.now())
        called: list[VersionName] = []
        for note in notes:
            key = note.name.removeprefix(prefix)
            if len(called) < left and key not in known.reservations:
                model, _, number = key.partition("/")
                version = VersionName(ModelName(customer, model), names.version(number))
                if version != done and self._waits(version):
                    called.append(version)
                else:
                    self.control.delete(note.name)
        self.outbox.request_admission(*called)

    def _waits(self, version: VersionName) -> bool:
        """Whether a version that has a note still is to be judged."""
        known = control.read(self.control, documents.admission_name(version), Admission).document
        return known is None or known.verdict is None or known.verdict.state == "PENDING"

    def _try(self, name: ModelName, claim: Claim, quota: Quota, look: Look) -> Answer:
        waits = 0
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
                waits += 1
                if waits > MAX_WAITS:
                    break
                self.clock.sleep(WAIT_SECONDS)
                look = self.look(name)
            else:
                return answer
        return Answer("busy", "too many uploads of the customer are being judged at once")

    def _write(self, name: ModelName, known: Ledger, generation: int) -> None:
        path = documents.ledger_name(name.customer)
        control.write(self.control, path, known, if_generation=generation)
