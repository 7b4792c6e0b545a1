"""Judging one version under its lease: probe, promote, place, verdict; each step can be taken again."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import structlog

from berth.app import control
from berth.app.placing import Placing
from berth.app.promotion import Promotion
from berth.app.verdicts import Verdicts
from berth.domain import admission, documents, lease, manifest
from berth.domain.documents import Admission, AdmittedVersion, Customer, Footprint, Verdict
from berth.domain.errors import Conflict, InvalidModel, QuotaExceeded, Throttled
from berth.domain.manifest import Limits, Manifest, ManifestFile
from berth.domain.model_events import ModelEvent
from berth.domain.names import VersionName
from berth.domain.probing import ProbeReport, ProbeRequest
from berth.domain.quotas import Quota
from berth.ports import Clock, ObjectStore, Outbox, Probe

LEASE_MARGIN_SECONDS = 45
MIB = 1024**2
KINDS = {"ADMITTED": "admitted", "REJECTED": "rejected", "INCOMPLETE": "incomplete"}


@dataclass(slots=True)
class Case:
    """One version being judged: its admission document as this request last wrote it."""

    version: VersionName
    account: Customer
    quota: Quota
    uploaded: Manifest
    uploaded_at: str
    known: Admission
    generation: int


@dataclass(frozen=True, slots=True)
class Judging:
    """What judging needs of the outside world."""

    uploads_bucket: str
    control: ObjectStore
    outbox: Outbox
    probe: Probe
    promotion: Promotion
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
        """Take the lease, probe, carry out the judgement; return whether another look is wanted.

        Raises Conflict.
        """
        with ThreadPoolExecutor(1) as pool:
            checked = pool.submit(self.placing.check_quota, case.version.model, case.quota)
            self.take(case, holder=holder)
        try:
            model = checked.result()
            implausible = admission.plausible(case.version, model)
            if implausible:
                return self.conclude(case, "REJECTED", implausible)
            report = self._probe(case)
        except QuotaExceeded as error:
            return self.conclude(case, "REJECTED", str(error))
        if report.state == "ACCEPTED":
            return self._accept(case, report)
        return self.conclude(case, report.state, report.reason, missing=report.missing)

    def promote(self, case: Case, *, resumed: bool = True) -> bool:
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
        )
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
        """Tell, publish and store a verdict, and leave the lease; return whether it was wanted."""
        verdict = admission.verdict(state, reason, now=self.clock.now(), missing=missing)
        self.verdicts.tell(case.version, verdict)
        self._announce(case, KINDS[state], reason, shard)
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
        return self.promote(case, resumed=False)

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
