"""The admission of one version: look at its files and its audit trail, decide, and have it done.

The admission document is both the audit trail and the lease: one request at a time judges a version.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

from berth.app import control
from berth.app.cases import Case
from berth.app.control import Held
from berth.app.judging import Judging
from berth.app.verdicts import Verdicts
from berth.domain import admission, documents, lease, manifest, quotas
from berth.domain.admission import Decision
from berth.domain.documents import Admission, Customer
from berth.domain.errors import Conflict, Unavailable
from berth.domain.manifest import Manifest, ManifestFile
from berth.domain.names import VersionName
from berth.domain.outcome import Outcome
from berth.domain.quotas import Quota
from berth.ports import Clock, ObjectStore, Outbox

MAX_LOOKS = 5


@dataclass(frozen=True, slots=True)
class AdmitVersion:
    """Brings one version to its verdict."""

    uploads: ObjectStore
    control: ObjectStore
    outbox: Outbox
    judging: Judging
    verdicts: Verdicts
    clock: Clock

    def handle(self, version: VersionName, message: str) -> Outcome:
        """Judge a version; files that arrive meanwhile are looked at too."""
        label = f"{version.model.servable}/{version.number}"
        name = documents.admission_name(version)
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(control.read, self.control, name, Admission)
            owner = documents.customer_name(version.model.customer)
            account = control.read(self.control, owner, Customer).document
            held = first.result()
        begun = held.document is not None and bool(held.document.promoting)
        if account is None or (account.state != "active" and not begun):
            return self._pending(version, account)
        for _ in range(MAX_LOOKS):
            word = self._look(version, message, account, held)
            if word != "again":
                done = word == "settled"
                return Outcome("converged" if done else "changed", version=label, reason=word)
            held = control.read(self.control, name, Admission)
        self.outbox.request_admission(version)
        return Outcome("deferred", version=label, reason="its files keep changing")

    def _pending(self, version: VersionName, account: Customer | None) -> Outcome:
        reason = (
            "the customer has not signed up yet: it is judged at sign-up"
            if account is None
            else "the account is closed: it is judged when the customer signs up again"
        )
        verdict = admission.verdict("PENDING", reason, now=self.clock.now())
        self.verdicts.tell(version, verdict, once=True)
        return Outcome("deferred", reason=reason)

    def _look(
        self, version: VersionName, message: str, account: Customer, held: Held[Admission]
    ) -> str:
        """Make one look; return "again" when another is due, "settled" when nothing was."""
        name = documents.admission_name(version)
        known = held.document or Admission()
        answer = lease.ask(known.lease, holder=message, now=self.clock.now())
        if answer == "redelivered":
            raise Unavailable(f"{name} is still held for this very message")
        if answer == "already-wanted":
            return "settled"
        try:
            if answer == "want":
                noted = known.model_copy(update={"lease": lease.wanted(known.lease)})
                control.write(self.control, name, noted, if_generation=held.generation)
                return "settled"
            quota = quotas.quota(account.plan)
            uploaded, crowded, at = self._listing(version, quota)
            case = Case(version, account, quota, uploaded, at, known, held.generation)
            decision = admission.decide(known, uploaded, quota=quota, crowded=crowded)
            return self._carry_out(case, decision, message)
        except Conflict:
            return "again"

    def _carry_out(self, case: Case, decision: Decision, message: str) -> str:
        if decision.next == "settled":
            return "settled"
        if decision.next == "refuse":
            self.judging.refuse(case, decision.reason)
            return "refused"
        if decision.next == "waiting":
            return self._wait(case, decision)
        if decision.next in ("probe", "promote") and self.judging.still_waits(case):
            return "settled"
        if decision.next == "probe":
            wanted = self.judging.judge(case, holder=message)
        elif decision.next == "promote":
            wanted = self.judging.resume(case, holder=message)
        else:
            self.judging.take(case, holder=message)
            wanted = self.judging.conclude(case, "REJECTED", decision.reason)
        return "again" if wanted else "judged"

    def _wait(self, case: Case, decision: Decision) -> str:
        """Say once what is missing; a later file's event costs one list and no probe."""
        verdict = case.known.verdict
        if verdict is not None and verdict.missing == decision.missing:
            return "settled"
        if not case.uploaded.files:
            return "settled"
        self.judging.note_incomplete(case, decision.reason, decision.missing)
        return "incomplete"

    def _listing(self, version: VersionName, quota: Quota) -> tuple[Manifest, bool, str]:
        """List once and pin generations; whether there are more files than the plan allows, and when
        the newest was stored.
        """
        stats = self.uploads.list(version.folder, limit=quota.files + 1)
        files = tuple(
            ManifestFile(
                name=stat.name.removeprefix(version.folder),
                generation=stat.generation,
                size=stat.size,
                crc32c=stat.crc32c,
            )
            for stat in stats
        )
        newest = max((stat.updated for stat in stats), default=datetime.min.replace(tzinfo=UTC))
        at = newest.astimezone(UTC).isoformat(timespec="microseconds")
        return manifest.promoted(Manifest(files=files)), len(stats) > quota.files, at
