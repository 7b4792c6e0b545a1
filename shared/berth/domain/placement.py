"""Which shard a new model goes to, and why: best fit on measured bytes, home shard first, sticky.

Capacity of a shard: the sum of resident bytes, plus what the k largest loads need beyond that
while they load, plus the server itself.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace

from berth.domain.canonical import Document
from berth.domain.footprint import Footprint

PARALLEL_LOADS = (
    8  # TF Serving loads with 4 x CPUs threads at start; the shard's manifest asks for 2
)
BASE_BYTES = 400 * 1024**2  # a server without models: 320 MB measured, and its buffers
CHOICES = 2  # parallel admissions must not all run to the very best shard


# A decision keeps the shards that came nearest: a document is bounded, a fleet is not.
SHOWN_CHOICES = 8


class Choice(Document):
    """One shard as a decision saw it, in bytes and models; `against` says why it could not be taken."""

    shard: str
    models: int
    max_models: int
    used_bytes: int
    bound_bytes: int
    against: str = ""


class Decision(Document):
    """Where a model was placed, why, what it needs at most (bytes), and the shards that were looked at.

    `shard` is "" where none has room.
    """

    shard: str
    reason: str
    needs_bytes: int
    looked_at: int
    choices: tuple[Choice, ...]


@dataclass(frozen=True, slots=True, order=True)
class Room:
    """A shard that may take models: what it holds and its bounds, in bytes and models."""

    shard: str
    models: int
    max_models: int
    used_bytes: int
    bound_bytes: int

    def fits(self, footprint: Footprint) -> bool:
        """Whether one more model of this footprint stays within both bounds."""
        return not self.against(footprint)

    def against(self, footprint: Footprint) -> str:
        """Return why one more model of this footprint has no room here, or ""."""
        if self.models >= self.max_models:
            return f"it has {self.models} of {self.max_models} models"
        after = self.used_bytes + needs(footprint)
        over = after - self.bound_bytes
        return f"it would hold {over} bytes too many" if over > 0 else ""

    def taking(self, footprint: Footprint) -> "Room":
        """Return the room that is left with one more model."""
        grown = self.used_bytes + needs(footprint)
        return replace(self, models=self.models + 1, used_bytes=grown)


def needs(footprint: Footprint) -> int:
    """Return the bytes that one more model takes at most."""
    return max(footprint.peak_bytes, footprint.resident_bytes)


def needed_bytes(footprints: Iterable[Footprint]) -> int:
    """Return the memory a replica needs for these versions, loads in parallel included."""
    listed = list(footprints)
    growth = sorted((max(0, f.peak_bytes - f.resident_bytes) for f in listed), reverse=True)
    return BASE_BYTES + sum(f.resident_bytes for f in listed) + sum(growth[:PARALLEL_LOADS])


def place(
    footprint: Footprint,
    rooms: Sequence[Room],
    *,
    home: str,
    draw: Callable[[int], int],
) -> Decision:
    """Decide on the shard of a new model.

    `draw(n)` gives a number below n: randomness is the caller's.
    """
    fitting = [room for room in rooms if room.fits(footprint)]
    at_home = [room for room in fitting if room.shard == home]
    best = at_home or sorted(fitting, key=lambda room: (_left(room), room.shard))[:CHOICES]
    drawn = best[draw(len(best)) if len(best) > 1 else 0] if best else None
    if drawn is None:
        reason = f"none of {len(rooms)} shards has room"
    elif at_home:
        reason = "its customer is at home there"
    elif len(fitting) == 1:
        reason = "no other shard has room"
    else:
        reason = f"drawn from the {len(best)} fullest of {len(fitting)} shards with room"
    chosen = drawn.shard if drawn else ""
    return _decision(chosen, reason, footprint, rooms)


def _decision(shard: str, reason: str, footprint: Footprint, rooms: Sequence[Room]) -> Decision:
    against = {room.shard: room.against(footprint) for room in rooms}
    nearest = sorted(
        rooms,
        key=lambda room: (room.shard != shard, bool(against[room.shard]), abs(_left(room)), room),
    )
    return Decision(
        shard=shard,
        reason=reason,
        needs_bytes=needs(footprint),
        looked_at=len(rooms),
        choices=tuple(
            Choice(against=against[room.shard], **asdict(room)) for room in nearest[:SHOWN_CHOICES]
        ),
    )


def _left(room: Room) -> int:
    return room.bound_bytes - room.used_bytes


def home(rooms: Sequence[Room], *, draw: Callable[[int], int]) -> str | None:
    """Return a home shard for a new customer: one of the emptiest, by share of its bounds."""
    listed = sorted(rooms, key=lambda room: (_load(room), room.shard))
    return listed[draw(min(CHOICES, len(listed)))].shard if listed else None


def _load(room: Room) -> float:
    by_bytes = room.used_bytes / room.bound_bytes if room.bound_bytes else math.inf
    return max(by_bytes, room.models / room.max_models)
