"""A customer's ledger as pure decisions: which places of the plan are taken, reserved or free.

What is settled is read from the model documents; the ledger holds what is still on its way there. A
claim reads the ledger first, the documents after it, and writes the ledger back if it did not change:
what left the ledger meanwhile is in the documents, and what entered it is a lost race.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from berth.domain.canonical import Document
from berth.domain.documents import Model, Projection
from berth.domain.names import STARTER
from berth.domain.quotas import Quota

HOUR = timedelta(hours=1)
# How many characters of a digest tell two uploads of one version apart.
DIGEST_LENGTH = 16


class Reservation(Document):
    """A place held for a version being judged. `holder` and `until` tell two holds of it apart."""

    model: str
    number: int
    bytes: int
    holder: str
    until: datetime


class Ledger(Document):
    """Reservations by "<model>/<number>", and the probes begun in the hour that began at `hour`."""

    reservations: dict[str, Reservation] = {}
    hour: str = ""
    admissions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Settled:
    """What one model holds: the numbers of its present versions (the newest, by a listing) and their bytes."""

    numbers: frozenset[int]
    bytes: int


@dataclass(frozen=True, slots=True)
class Claim:
    """A wish for one place. `digest` is "" where no probe will begin."""

    place: Reservation
    digest: str

    @property
    def key(self) -> str:
        """Where the ledger keeps the reservation."""
        return f"{self.place.model}/{self.place.number}"

    @property
    def admission(self) -> str:
        """What counts once in an hour, however often it is delivered; "" where nothing counts."""
        return f"{self.key}/{self.digest[:DIGEST_LENGTH]}" if self.digest else ""


@dataclass(frozen=True, slots=True)
class Answer:
    """granted: write `ledger`. over: the plan is full. busy: others are being judged, and it may be full or
    is as many as the plan allows at once. later: not in this hour.
    """

    word: Literal["granted", "over", "busy", "later"]
    reason: str = ""
    ledger: Ledger | None = None


def held(model: Model) -> Settled:
    """Return what a model's document holds."""
    return Settled(frozenset(model.present), model.stored_bytes)


def listed(metadata: Mapping[str, str]) -> Settled:
    """Return what a model's document holds, from its metadata; one of before bytes were kept has none."""
    shown = Projection.from_metadata(metadata).versions
    return Settled(frozenset(shown), int(metadata.get("bytes", "0")))


def decide(
    ledger: Ledger, settled: Mapping[str, Settled], claim: Claim, *, quota: Quota, now: datetime
) -> Answer:
    """Say whether the claim fits beside what is settled and what others hold. Raises nothing."""
    known = _current(ledger, settled, now)
    places = {key: place for key, place in known.reservations.items() if key != claim.key}
    over = _over(settled, {}, claim.place, quota)
    if over:
        return Answer("over", over)
    counted = claim.admission in (*known.admissions, "")
    if not counted and len(known.admissions) >= quota.admissions_per_hour:
        after = (datetime.fromisoformat(known.hour) + HOUR).strftime("%H:%M")
        bound = f"the plan allows {quota.admissions_per_hour} admissions an hour"
        return Answer("later", f"{bound}: it is judged after {after} UTC")
    busy = _busy(settled, places, claim.place, quota)
    if busy:
        return Answer("busy", f"{busy}: it is judged when one of them is done")
    update = {
        "reservations": {**places, claim.key: claim.place},
        "admissions": known.admissions if counted else (*known.admissions, claim.admission),
    }
    return Answer("granted", ledger=known.model_copy(update=update))


def free(ledger: Ledger, *, quota: Quota, now: datetime) -> int:
    """Return how many more versions may be judged at once."""
    return quota.at_once - sum(place.until > now for place in ledger.reservations.values())


def released(ledger: Ledger, claim: Claim) -> Ledger:
    """Return the ledger without the claim's reservation; one that another hold made stays."""
    if ledger.reservations.get(claim.key) != claim.place:
        return ledger
    rest = {key: place for key, place in ledger.reservations.items() if key != claim.key}
    return ledger.model_copy(update={"reservations": rest})


def _current(ledger: Ledger, settled: Mapping[str, Settled], now: datetime) -> Ledger:
    """Drop what is settled or past its time, and what was counted in an hour that is over."""
    hour = now.replace(minute=0, second=0, microsecond=0).isoformat()
    places = {
        key: place
        for key, place in ledger.reservations.items()
        if place.until > now and not _is_settled(settled, place)
    }
    known = ledger.model_copy(update={"reservations": places})
    if ledger.hour >= hour:  # a clock that is behind does not open the hour again
        return known
    return known.model_copy(update={"hour": hour, "admissions": ()})


def _is_settled(settled: Mapping[str, Settled], place: Reservation) -> bool:
    return place.model in settled and place.number in settled[place.model].numbers


def _busy(
    settled: Mapping[str, Settled],
    places: Mapping[str, Reservation],
    mine: Reservation,
    quota: Quota,
) -> str:
    """Return why the claim has to wait for those that hold places now, or ""."""
    if len(places) >= quota.at_once:
        return f"the plan allows {quota.at_once} at once, {len(places)} are being judged"
    full = _over(settled, places, mine, quota)
    return f"{full}, with what is being judged" if full else ""


def _over(
    settled: Mapping[str, Settled],
    places: Mapping[str, Reservation],
    mine: Reservation,
    quota: Quota,
) -> str:
    """Return the bound that the claim would break, with what is used, or ""."""
    models = {name for name, one in settled.items() if one.numbers}
    models = (models | {place.model for place in places.values()}) - {STARTER}
    if mine.model not in {*models, STARTER} and len(models) >= quota.models:
        return f"the plan allows {quota.models} models, {len(models)} are used"
    known = settled[mine.model].numbers if mine.model in settled else frozenset[int]()
    versions = known | {place.number for place in places.values() if place.model == mine.model}
    if mine.number not in versions and len(versions) >= quota.versions:
        return f"the plan allows {quota.versions} versions of a model, {len(versions)} are used"
    used = sum(one.bytes for one in settled.values())
    used += sum(place.bytes for place in places.values())
    if used + mine.bytes > quota.bytes:
        return f"{mine.bytes} bytes, the plan allows {quota.bytes} in all, {used} are used"
    return ""
