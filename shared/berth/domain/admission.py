"""Admission of one version as pure decisions over its listing and its audit trail."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from berth.domain import manifest, names
from berth.domain.documents import Admission, Model, Verdict
from berth.domain.manifest import SAVED_MODEL, Manifest
from berth.domain.quotas import Quota

MAX_ATTEMPTS = 3

Next = Literal["settled", "waiting", "refuse", "reject", "probe", "promote"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do with a version now, and why."""

    next: Next
    reason: str = ""
    missing: tuple[str, ...] = ()


def decide(
    known: Admission, uploaded: Manifest, *, quota: Quota, crowded: bool = False
) -> Decision:
    """Return what comes next. `uploaded` is what could be promoted of the newest listing.

    settled: these bytes have their final verdict. waiting: what was missing still is. refuse: the
    version is immutable and these are other bytes. promote: judged, but the copying has not ended.
    """
    if known.promoting:
        return _promoting(known, uploaded)
    if _judged(known, uploaded):
        return Decision("settled")
    if crowded:
        # Listed no further than the bound: what is not in the listing need not be missing.
        return Decision("reject", reason=f"more than {quota.files} files, the plan's bound")
    if SAVED_MODEL not in uploaded.by_name():
        return Decision("waiting", reason=f"{SAVED_MODEL} is missing", missing=(SAVED_MODEL,))
    if known.verdict is not None and known.verdict.state == "INCOMPLETE":
        still = _still_missing(known, uploaded)
        if still:
            return Decision("waiting", reason=known.verdict.reason, missing=still)
    hopeless = _hopeless(known, uploaded, quota)
    if hopeless:
        return Decision("reject", reason=hopeless)
    return Decision("probe")


def _judged(known: Admission, uploaded: Manifest) -> bool:
    """Whether these bytes have their final verdict, and saved_model.pb is the very object judged.

    The same bytes uploaded again are judged again: a REJECTED number may come again.
    """
    if known.verdict is None or not known.verdict.final or known.digest != identity(uploaded):
        return False
    return known.manifest.by_name().get(SAVED_MODEL) == uploaded.by_name().get(SAVED_MODEL)


def _hopeless(known: Admission, uploaded: Manifest, quota: Quota) -> str:
    """Return why these bytes are not worth a probe, or ""."""
    size = sum(file.size for file in uploaded.files)
    if size > quota.version_bytes:
        return f"{size} bytes, the plan allows {quota.version_bytes} a version"
    if known.digest == identity(uploaded) and known.attempts >= MAX_ATTEMPTS:
        return "the probe did not survive it: three attempts did not end"
    return ""


def identity(listing: Manifest) -> str:
    """Return the digest of a version's bytes, "" when there are none."""
    return manifest.digest(listing) if listing.files else ""


def used(known: Admission) -> bool:
    """Whether the number is used for ever: its promotion began, and came to a verdict."""
    return bool(known.promoting) and known.verdict is not None and known.verdict.final


def _promoting(known: Admission, uploaded: Manifest) -> Decision:
    """From the start of its promotion a version is its pinned bytes, whatever is uploaded later."""
    pinned = identity(_only(known.manifest, known.promoted))
    now = identity(_only(uploaded, known.promoted))
    if used(known):
        inbox_is_clean = not uploaded.files
        if now == pinned or inbox_is_clean:
            return Decision("settled")
        return Decision("refuse", reason="a version is immutable: upload a new version number")
    return Decision("promote")


def _still_missing(known: Admission, uploaded: Manifest) -> tuple[str, ...]:
    """Names that were missing or short and have not changed since."""
    before, now = known.manifest.by_name(), uploaded.by_name()
    listed = known.verdict.missing if known.verdict else ()
    same = tuple(name for name in listed if before.get(name) == now.get(name))
    unchanged = before.get(SAVED_MODEL) == now.get(SAVED_MODEL)
    return same if unchanged else ()


def _only(listing: Manifest, wanted: tuple[str, ...]) -> Manifest:
    return Manifest(files=tuple(file for file in listing.files if file.name in set(wanted)))


def plausible(number: int, model: Model | None) -> str:
    """Return why a version number is refused, or "": nobody may end "newest wins" for ever."""
    newest = max(model.versions, default=0) if model else 0
    if number > newest + names.MAX_VERSION_STEP:
        return f"version {number} is more than 10^6 above the newest ({newest})"
    return ""


def verdict(
    state: Literal["PENDING", "INCOMPLETE", "REJECTED", "ADMITTED"],
    reason: str,
    *,
    now: datetime,
    missing: tuple[str, ...] = (),
) -> Verdict:
    """Return a verdict with its time."""
    return Verdict(
        state=state, reason=reason, at=now.isoformat(timespec="milliseconds"), missing=missing
    )
