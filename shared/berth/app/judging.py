"""Judging one version under its lease: claim, probe, promote, place, verdict; each step can be taken again."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import structlog

from berth.app import control
from berth.app.cases import Case
from berth.app.claiming import Claiming, Look
from berth.app.placing import Placing
from berth.app.promotion import Promotion
from berth.app.verdicts import Verdicts
from berth.domain import admission, documents, lease, manifest
from berth.domain.documents import Admission, AdmittedVersion, Footprint, Verdict
from berth.domain.errors import Conflict, InvalidModel, Throttled
from berth.domain.ledger import Answer
from berth.domain.manifest import Limits, Manifest, ManifestFile
from berth.domain.model_events import ModelEvent
from berth.domain.probing import ProbeReport, ProbeRequest
from berth.ports import Clock, ObjectStore, Outbox, Probe

# Beyond the load: a ledger that takes no write now, the probe's start, the documents.
LEASE_MARGIN_SECONDS = 60
MIB = 1024**2
KINDS = {"ADMITTED": "admitted", "REJECTED": "rejected", "INCOMPLETE": "incomplete"}


@dataclass(frozen=True, slots=True)
class Judging:
    """What judging needs of the outside world."""

    uploads_bucket: str
    control: ObjectStore
    outbox: Outbox
    probe: Probe
    promotion: Promotion
    claiming: Claiming
    placing: Placing
    verdicts: Verdicts
    clock: Clock

    def take(self, case: Case, *, holder: str) -> None:
        """Take the version's lease; the attempt is counted before it is made. Raises Conflict.

        A verdict on other bytes goes with them: an attempt that ends early must not look judged.
        """
        seconds = case.quota.load_seconds + LEASE_MARGIN_SECONDS
        taken = lease.taken(holder=holder, now=self.clock.now(), seconds=seconds)
        update: dict[str, object] = {"lease": taken}
        if not case.known.promoting:
            digest = admission.identity(case.uploaded)
            again = digest == case.known.digest
            update |= {
                "manifest": case.uploaded,
                "digest": digest,
                "uploaded_at": case.uploaded_at,
                "attempts": case.known.attempts + 1 if again else 1,
                "verdict": None,
            }
        self._save(case, update)

    def judge(self, case: Case, *, holder: str) -> bool:
        """Take the lease and a place, probe, carry out the judgement; return whether another look is wanted.

        Raises Conflict.
        """
        look = self._begin(case, holder)
        implausible = admission.plausible(case.version.number, look.model)
        if implausible:
            return self.conclude(case, "REJECTED", implausible)
        answer = self._claim(case, look)
        if answer.word != "granted":
            return self._turn_away(case, answer)
        report = self._probe(case)
        if report.state == "ACCEPTED":
            return self._accept(case, report)
        return self.conclude(case, report.state, report.reason, missing=report.missing)

    def resume(self, case: Case, *, holder: str) -> bool:
        """Take the lease and the place again and go on with a promotion that did not end.

        Raises Conflict.
        """
        look = self._begin(case, holder)
        if look.model is None or case.version.number not in look.model.versions:
            answer = self._claim(case, look)
            if answer.word != "granted":
                return self._turn_away(case, answer)
        return self._promote(case, resumed=True)

    def still_waits(self, case: Case) -> bool:
        """Whether what was turned away would be again, for the same reason: then there is nothing to write."""
        if not case.turned_away:
            return False
        answer = self.claiming.ask(case.version.model, case.wish, case.quota)
        return answer.word in ("busy", "later") and answer.reason == case.turned_away

    def _begin(self, case: Case, holder: str) -> Look:
        """Take the lease, and look at the plan's places meanwhile."""
        with ThreadPoolExecutor(1) as pool:
            looked = pool.submit(self.claiming.look, case.version.model)
            self.take(case, holder=holder)
        return looked.result()

    def _claim(self, case: Case, look: Look) -> Answer:
        """Reserve a place under the lease; only then is there something to give back."""
        claim = case.wish
        answer = self.claiming.claim(case.version.model, claim, case.quota, look)
        if answer.word == "granted":
            case.claim = claim
        return answer

    def _turn_away(self, case: Case, answer: Answer) -> bool:
        """Refuse for good over what is settled, else leave it to its turn; no attempt is counted."""
        if answer.word == "over":
            return self.conclude(case, "REJECTED", answer.reason)
        verdict = admission.verdict("PENDING", answer.reason, now=self.clock.now())
        counted = 0 if case.known.promoting else 1
        attempts = case.known.attempts - counted
        wanted = self._hold(case, {"verdict": verdict, "attempts": attempts}, leave=True)
        self.verdicts.tell(case.version, verdict)
        return wanted

    def _promote(self, case: Case, *, resumed: bool) -> bool:
        """Copy, place and conclude a version whose promotion has begun."""
        pinned = case.known.manifest.by_name()
        files = tuple(pinned[name] for name in case.known.promoted)
        footprint = case.known.footprint
        if footprint is None:
            return self.conclude(case, "REJECTED", "it was never measured")
        try:
            self.promotion.promote(case.version, files, resumed=resumed)
        except InvalidModel as error:
            return self.conclude(case, "REJECTED", str(error))
        admitted = AdmittedVersion(
            digest=case.known.promoting,
            footprint=footprint,
            admitted_at=self.clock.now().isoformat(timespec="milliseconds"),
            uploaded_at=case.known.uploaded_at,
            bytes=case.bytes,
        )
        if case.claim is not None and self.clock.now() >= case.claim.place.until:
            raise Conflict("its place in the plan was held too long ago: it is claimed again")
        shard = self.placing.place(case.version, admitted, case.account)
        return self.conclude(case, "ADMITTED", f"placed on {shard}", shard=shard)

    def conclude(
        self,
        case: Case,
        state: Literal["INCOMPLETE", "REJECTED", "ADMITTED"],
        reason: str,
        *,
        missing: tuple[str, ...] = (),
        shard: str = "",
    ) -> bool:
        """Tell, publish and store a verdict, and leave the lease; return whether it was wanted.

        The place goes back first: what was admitted is settled by now, and a death in between leaves a
        version that is judged again, not a place that nobody holds.
        """
        verdict = admission.verdict(state, reason, now=self.clock.now(), missing=missing)
        self.verdicts.tell(case.version, verdict)
        self._announce(case, KINDS[state], reason, shard)
        self.claiming.release(case.version, case.claim, case.quota)
        return self._hold(case, {"verdict": verdict, "attempts": 0}, leave=True)

    def note_incomplete(self, case: Case, reason: str, missing: tuple[str, ...]) -> None:
        """Publish what is missing without having probed; not final."""
        verdict = admission.verdict("INCOMPLETE", reason, now=self.clock.now(), missing=missing)
        digest = admission.identity(case.uploaded)
        self.verdicts.tell(case.version, verdict)
        self._announce(case, "incomplete", reason, "")
        self._save(case, {"verdict": verdict, "manifest": case.uploaded, "digest": digest})

    def refuse(self, case: Case, reason: str) -> None:
        """Refuse other bytes for a version that is immutable; its own verdict stays to be seen."""
        digest = admission.identity(case.uploaded)
        if case.known.refused_digest == digest or case.known.verdict is None:
            return
        told: Verdict = case.known.verdict.model_copy(update={"refused": reason})
        self.verdicts.tell(case.version, told)
        self._announce(case, "rejected", reason, "")
        self._save(case, {"refused_digest": digest, "verdict": told})

    def _probe(self, case: Case) -> ProbeReport:
        quota = case.quota
        request = ProbeRequest(
            bucket=self.uploads_bucket,
            prefix=case.version.folder,
            manifest=case.uploaded,
            limits=Limits(
                max_files=quota.files,
                max_file_bytes=quota.version_bytes,
                max_bytes=quota.version_bytes,
                memory_mib=quota.memory_mib,
                seconds=quota.load_seconds,
            ),
        )
        began = self.clock.now()
        try:
            report = self.probe.probe(request)
        except Throttled:
            # It never began: that is the platform's doing and no mark against the model.
            self._hold(case, {"attempts": case.known.attempts - 1}, leave=True)
            raise
        took = (self.clock.now() - began).total_seconds()
        child = report.measurements.child_seconds if report.measurements else 0.0
        structlog.contextvars.bind_contextvars(probe_seconds=took, child_seconds=child)
        return report

    def _accept(self, case: Case, report: ProbeReport) -> bool:
        measured = report.measurements
        if measured is None:
            return self.conclude(case, "REJECTED", "the probe measured nothing")
        by_name = case.uploaded.by_name()
        files: tuple[ManifestFile, ...] = tuple(by_name[name] for name in sorted(report.files))
        footprint = Footprint(
            resident_bytes=measured.resident_bytes,
            peak_bytes=max(measured.peak_bytes, measured.resident_bytes),
            load_seconds=measured.load_seconds,
        )
        self._hold(
            case,
            {
                "promoting": manifest.digest(Manifest(files=files)),
                "promoted": tuple(file.name for file in files),
                "footprint": footprint,
            },
        )
        return self._promote(case, resumed=False)

    def _announce(self, case: Case, kind: str, reason: str, shard: str) -> None:
        self.outbox.announce(
            ModelEvent(
                kind,
                case.version.model.servable,
                case.version.number,
                reason=reason,
                digest=case.known.promoting or case.known.digest,
                shard=shard,
            )
        )

    def _save(self, case: Case, update: dict[str, object]) -> None:
        document = case.known.model_copy(update=update)
        name = documents.admission_name(case.version)
        case.generation = control.write(self.control, name, document, if_generation=case.generation)
        case.known = document

    def _hold(self, case: Case, update: dict[str, object], *, leave: bool = False) -> bool:
        """Write under the lease; others may only have set `wanted`, which is kept and returned.

        Raises Conflict when the lease ran out and another request took the version over.
        """
        name = documents.admission_name(case.version)
        for _ in range(control.MAX_RACES):
            left = {"lease": lease.released(case.known.lease)} if leave else {}
            wanted = case.known.lease.wanted
            try:
                self._save(case, {**update, **left})
            except Conflict:
                held = control.read(self.control, name, Admission)
                if held.document is None or not lease.same(held.document.lease, case.known.lease):
                    raise
                case.known, case.generation = held.document, held.generation
                continue
            return wanted
        raise Conflict(f"{name} kept changing while it was being written")
