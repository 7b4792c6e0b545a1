"""Cases: one version being judged, as the request that judges it knows it. Asks nobody."""

from dataclasses import dataclass
from datetime import timedelta

from berth.domain import admission, manifest
from berth.domain.documents import Admission, Customer
from berth.domain.ledger import Claim, Reservation
from berth.domain.manifest import Manifest
from berth.domain.names import VersionName
from berth.domain.quotas import Quota

# A place outlasts its lease by more than any delivery lasts (functions.yaml: 540 s).
PLACE_SECONDS = 600


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
    claim: Claim | None = None

    @property
    def bytes(self) -> int:
        """The bytes of what will be promoted: all that could be, until the probe says what is."""
        if not self.known.promoting:
            return sum(file.size for file in self.uploaded.files)
        pinned = self.known.manifest.by_name()
        return sum(pinned[name].size for name in self.known.promoted)

    @property
    def wish(self) -> Claim:
        """The place that it needs in the plan, for as long as its lease; a resumed one begins no probe."""
        held = self.known.lease
        place = Reservation(
            model=self.version.model.model,
            number=self.version.number,
            bytes=self.bytes,
            holder=held.holder,
            until=held.expires + timedelta(seconds=PLACE_SECONDS),
        )
        return Claim(place, "" if self.known.promoting else manifest.upload(self.uploaded))

    @property
    def turned_away(self) -> str:
        """Why these very bytes were turned away when they were looked at last, or ""."""
        said = self.known.verdict
        if said is None or said.state != "PENDING":
            return ""
        same = self.known.promoting or admission.identity(self.uploaded) == self.known.digest
        return said.reason if same else ""
