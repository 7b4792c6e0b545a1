"""The sweep: every lost event is found again by comparing the inbox with the admissions.

Each customer has a share of it (domain/inbox.py), whatever is in the inboxes of others. What is over
the share, or the sweep's time, is the next sweep's: it goes on where this one stopped.
"""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

from berth.app import control
from berth.domain import documents, fleet, inbox
from berth.domain.documents import Admission, Model
from berth.domain.errors import Conflict
from berth.domain.inbox import SweepMarks
from berth.domain.names import ModelName, VersionName
from berth.ports import Clock, ObjectStore, Outbox

# Customers looked at side by side.
PARALLEL = 16
# When a sweep stops: well before its function's time is over (functions.yaml: 300 s).
SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Sweeping:
    """Asks for the admission of what the inbox holds and no verdict covers."""

    uploads: ObjectStore
    control: ObjectStore
    outbox: Outbox
    clock: Clock

    def sweep(self) -> None:
        """Look at the customers in turn, and note where the next sweep goes on."""
        held = control.read(self.control, documents.SWEEP, SweepMarks)
        known = held.document or SweepMarks()
        left = [name for name in self.uploads.folders("") if name >= known.customer]
        seen: dict[str, str] = {}
        ends = self.clock.now().timestamp() + SECONDS
        while left and self.clock.now().timestamp() < ends:
            chunk, left = left[:PARALLEL], left[PARALLEL:]
            with ThreadPoolExecutor(PARALLEL) as pool:
                found = list(pool.map(lambda one: self._customer(one, known.marks), chunk))
            seen |= dict(zip(chunk, found, strict=True))
        noted = inbox.noted(known, seen, going_on=left[0] if left else "")
        if noted != known:
            with suppress(Conflict):  # another sweep noted how far it came
                control.write(self.control, documents.SWEEP, noted, if_generation=held.generation)

    def _customer(self, customer: str, marks: dict[str, str]) -> str:
        """Ask for what is due of one customer; return where to go on, "" at the end."""
        listed = self.uploads.list(
            f"{customer}/", start=marks.get(customer, ""), limit=inbox.MAX_OBJECTS + 1
        )
        share = inbox.share([(stat.name, stat.generation) for stat in listed])
        judged = {row.version: self._judged(row.version) for row in share.rows}
        heard = {name: self._heard(name) for name in share.wishes}
        known = {name: seen for name, seen in heard.items() if seen is not None}
        self.outbox.request_admission(*fleet.unjudged(share.rows, judged))
        self.outbox.request_admission(*fleet.unheard(share.wishes, known))
        return share.mark

    def _judged(self, version: VersionName) -> int:
        """The newest generation a final verdict saw; 0 without one."""
        name = documents.admission_name(version)
        known = control.read(self.control, name, Admission).document
        if known is None or known.verdict is None or not known.verdict.final:
            return 0
        return max((file.generation for file in known.manifest.files), default=0)

    def _heard(self, name: ModelName) -> int | None:
        model = control.read(self.control, documents.model_name(name), Model).document
        return model.wants.source_generation if model else None
