"""Leases as pure transitions: who may act, until when, and whether somebody asked meanwhile.

A lease is not a lock: it ends at an absolute time, and every call made under it ends before that.
"""

from datetime import UTC, datetime, timedelta
from typing import Literal

from berth.domain.canonical import Document

Answer = Literal["acquired", "redelivered", "already-wanted", "want"]


class Lease(Document):
    """Holder (a message id, "" when free), absolute expiry, and `wanted`: look once more."""

    holder: str = ""
    expires: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    wanted: bool = False

    def free(self, now: datetime) -> bool:
        """Whether anybody may take it."""
        return not self.holder or self.expires <= now


def ask(lease: Lease | None, *, holder: str, now: datetime) -> Answer:
    """Say what a request that wants to act does.

    acquired: take it. want: set `wanted` and acknowledge. already-wanted: acknowledge.
    redelivered: the very message it is held for came again, so its holder died or stalls: raise.
    """
    if lease is None or lease.free(now):
        return "acquired"
    if lease.holder == holder:
        return "redelivered"
    return "already-wanted" if lease.wanted else "want"


def taken(*, holder: str, now: datetime, seconds: float) -> Lease:
    """Return the lease as its new holder writes it."""
    return Lease(holder=holder, expires=now + timedelta(seconds=seconds))


def wanted(lease: Lease) -> Lease:
    """Return the lease with a request noted."""
    return lease.model_copy(update={"wanted": True})


def unwanted(lease: Lease) -> Lease:
    """Return the lease with the request taken up."""
    return lease.model_copy(update={"wanted": False})


def same(one: Lease, other: Lease) -> bool:
    """Whether both are one and the same hold: a message may hold a lease twice, one after the other."""
    return (one.holder, one.expires) == (other.holder, other.expires)


def released(lease: Lease) -> Lease:
    """Return the lease as its holder leaves it."""
    return lease.model_copy(update={"holder": "", "wanted": False})
