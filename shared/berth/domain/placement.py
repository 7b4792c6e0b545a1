"""Which shard a new model goes to: best fit on measured bytes, home shard first, sticky.

Capacity of a shard: the sum of resident bytes, plus what the k largest loads need beyond that
while they load, plus the server itself.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from berth.domain.documents import Footprint

PARALLEL_LOADS = (
    8  # TF Serving loads with 4 x CPUs threads at start; the shard's manifest asks for 2
)
BASE_BYTES = 400 * 1024**2  # a server without models: 320 MB measured, and its buffers
CHOICES = 2  # parallel admissions must not all run to the very best shard


@dataclass(frozen=True, slots=True)
class Room:
    """A shard that may take models: what it holds and its bounds, in bytes and models."""

    shard: str
    models: int
    max_models: int
    used_bytes: int
    bound_bytes: int

    def fits(self, footprint: Footprint) -> bool:
        """Whether one more model of this footprint stays within both bounds."""
        after = self.used_bytes + max(footprint.peak_bytes, footprint.resident_bytes)
        return self.models < self.max_models and after <= self.bound_bytes

    def taking(self, footprint: Footprint) -> "Room":
        """Return the room that is left with one more model."""
        grown = self.used_bytes + footprint.peak_bytes
        return replace(self, models=self.models + 1, used_bytes=grown)


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
) -> str | None:
    """Return the shard for a new model, or None when none has room.

    `draw(n)` gives a number below n: randomness is the caller's.
    """
    fitting = [room for room in rooms if room.fits(footprint)]
    if any(room.shard == home for room in fitting):
        return home
    best = sorted(fitting, key=lambda room: (room.bound_bytes - room.used_bytes, room.shard))
    return best[draw(min(CHOICES, len(best)))].shard if best else None


def home(rooms: Sequence[Room], *, draw: Callable[[int], int]) -> str | None:
    """Return a home shard for a new customer: one of the emptiest, by share of its bounds."""
    listed = sorted(rooms, key=lambda room: (_load(room), room.shard))
    return listed[draw(min(CHOICES, len(listed)))].shard if listed else None


def _load(room: Room) -> float:
    by_bytes = room.used_bytes / room.bound_bytes if room.bound_bytes else math.inf
    return max(by_bytes, room.models / room.max_models)
