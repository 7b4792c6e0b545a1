"""Taking, keeping and leaving leases: coalescing without clocks.

A request that finds a lease held sets `wanted` and is done; the holder looks again before it lets go.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from berth.app import control
from berth.domain import lease
from berth.domain.errors import Conflict, Unavailable
from berth.domain.lease import Answer, Lease
from berth.ports import Clock, ObjectStore

T = TypeVar("T")
MARGIN = timedelta(seconds=2)
# Cloud Storage takes one write a second to one object name.
WRITE_INTERVAL = timedelta(seconds=1)


@dataclass(slots=True)
class HeldLease:
    """A lease that this request holds."""

    store: ObjectStore
    clock: Clock
    name: str
    lease: Lease
    generation: int
    written: datetime

    def check(self) -> None:
        """Raise Unavailable when the lease is about to end: a stalled writer must not act late."""
        if self.clock.now() + MARGIN >= self.lease.expires:
            raise Unavailable(f"{self.name} is about to expire")

    def seconds_left(self) -> float:
        """Seconds until calls made under it must have ended."""
        return max(0.0, (self.lease.expires - MARGIN - self.clock.now()).total_seconds())

    def while_left(self, work: Iterable[T], *, keep: float = 0.0) -> Iterator[T]:
        """Give one after another, until no more than `keep` seconds are left."""
        for one in work:
            if self.seconds_left() <= keep:
                return
            yield one

    def take_up(self) -> None:
        """Clear `wanted` before a look, if somebody set it; further requests only read meanwhile."""
        held = control.read(self.store, self.name, Lease)
        if held.document is None or not lease.same(held.document, self.lease):
            raise Conflict(f"{self.name} was taken over")
        self.lease, self.generation = held.document, held.generation
        if self.lease.wanted:
            wait = (self.written + WRITE_INTERVAL - self.clock.now()).total_seconds()
            if wait > 0:
                self.clock.sleep(wait)
            self._write(lease.unwanted(self.lease))

    def wanted_now(self) -> bool:
        """Whether somebody asked for another look since the last one: one read."""
        held = control.read(self.store, self.name, Lease)
        return held.document is None or held.generation != self.generation

    def leave(self) -> bool:
        """Release it; return False when somebody wants another look meanwhile."""
        try:
            self._write(lease.released(self.lease))
        except Conflict:
            return False
        return True

    def drop(self) -> None:
        """Release it after a failure, if it still is ours: the request comes again and looks again."""
        held = control.read(self.store, self.name, Lease)
        if held.document is not None and lease.same(held.document, self.lease):
            self.generation = held.generation
            self.leave()

    def _write(self, document: Lease) -> None:
        self.generation = control.write(
            self.store, self.name, document, if_generation=self.generation
        )
        self.lease, self.written = document, self.clock.now()


def ask(store: ObjectStore, clock: Clock, name: str, *, holder: str) -> Answer:
    """Say what a request does, noting `wanted` for it where the lease is held.

    Raises Unavailable for the message that the lease is held for: its holder died or stalls.
    """
    for _ in range(control.MAX_RACES):
        held = control.read(store, name, Lease)
        answer = lease.ask(held.document, holder=holder, now=clock.now())
        if answer == "redelivered":
            raise Unavailable(f"{name} is still held for this very message")
        if answer != "want" or held.document is None:
            return answer
        try:
            control.write(store, name, lease.wanted(held.document), if_generation=held.generation)
        except Conflict:
            continue
        return answer
    raise Unavailable(f"{name} kept changing while it was being asked for")


def take(
    store: ObjectStore, clock: Clock, name: str, *, holder: str, seconds: float
) -> HeldLease | None:
    """Take a free lease for at most `seconds`; None when somebody else was faster."""
    held = control.read(store, name, Lease)
    if held.document is not None and not held.document.free(clock.now()):
        return None
    document = lease.taken(holder=holder, now=clock.now(), seconds=seconds)
    try:
        generation = control.write(store, name, document, if_generation=held.generation)
    except Conflict:
        return None
    return HeldLease(store, clock, name, document, generation, written=clock.now())
