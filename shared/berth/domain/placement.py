"""Which shard a new model goes to, and why: best fit on measured bytes and on count, home shard first.

Capacity of a shard: the sum of resident bytes, plus what the k largest loads need beyond that
while they load, plus the server itself. That is a bound and never passed. Two wishes come before the
fit and give way where no shard grants them: a little head-room stays for new versions of what is there,
and no shard takes too large a share of one customer. What a decision saw is recorded with it; whom it
drew is a matter of the model's name, so that the same inputs decide the same again.
"""

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from berth.domain.canonical import Document
from berth.domain.footprint import Footprint

PARALLEL_LOADS = (
    8  # TF Serving loads with 4 x CPUs threads at start; the shard's manifest asks for 2
)
BASE_BYTES = 400 * 1024**2  # a server without models: 320 MB measured, and its buffers
CHOICES = 2  # parallel admissions must not all run to the very best shard
HEADROOM = 0.02  # of a shard's bytes: a new version is loaded beside the one it follows
HOME_HEADROOM = 0.1  # of each bound: a customer's later models are to find room at home
# What one customer has on a shard while others have room: this share of its models, these at least.
SPREAD = 0.25
SPREAD_MODELS = 10

# A decision keeps the shards that came nearest: a document is bounded, a fleet is not.
SHOWN_CHOICES = 8


class Choice(Document):
    """One shard as a decision saw it, in bytes and models; `against` says why it could not be taken.

    `load` is in requests a second, None where it is not known.
    """

    shard: str
    models: int
    max_models: int
    used_bytes: int
    bound_bytes: int
    against: str = ""
    pool: str = ""
    load: float | None = None
    max_load: float | None = None


class Decision(Document):
    """Where a model was placed, why, what it needs at most (bytes), and the shards that were looked at.

    `shard` is "" where none has room; `home` and `pool` are its customer's.
    """

    shard: str
    reason: str
    needs_bytes: int
    looked_at: int
    choices: tuple[Choice, ...]
    home: str = ""
    pool: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A model that needs a shard. `held` counts its customer's models by shard; `load` is in requests a
    second, None where it is not known.
    """

    servable: str
    footprint: Footprint
    home: str = ""
    pool: str = ""
    held: Mapping[str, int] = field(default_factory=dict)
    load: float | None = None


@dataclass(frozen=True, slots=True, order=True)
class Room:
    """A shard that may take models: what it holds and its bounds, in bytes and models.

    `load` and `max_load` are in requests a second; None where they are not known.
    """

    shard: str
    models: int
    max_models: int
    used_bytes: int
    bound_bytes: int
    pool: str = ""
    load: float | None = None
    max_load: float | None = None

    def fits(self, footprint: Footprint) -> bool:
        """Whether one more model of this footprint stays within the bounds on bytes and models."""
        return not self.against(footprint)

    def against(self, footprint: Footprint, load: float | None = None) -> str:
        """Return why one more model of this footprint and load has no room here, or ""."""
        if self.models >= self.max_models:
            return f"it has {self.models} of {self.max_models} models"
        over = self.used_bytes + needs(footprint) - self.bound_bytes
        if over > 0:
            return f"it would hold {over} bytes too many"
        if None not in (load, self.load, self.max_load):
            excess = (self.load or 0.0) + (load or 0.0) - (self.max_load or 0.0)
            if excess > 0:
                return f"it would take {excess:.1f} requests a second too many"
        return ""

    def taking(self, footprint: Footprint, load: float | None = None) -> "Room":
        """Return the room that is left with one more model."""
        grown = self.used_bytes + needs(footprint)
        known = None if self.load is None else self.load + (load or 0.0)
        return replace(self, models=self.models + 1, used_bytes=grown, load=known)

    @property
    def fullness(self) -> float:
        """The share of its tightest bound that is taken; 1 is full."""
        by_bytes = self.used_bytes / self.bound_bytes if self.bound_bytes else math.inf
        by_load = (self.load or 0.0) / self.max_load if self.max_load else 0.0
        return max(by_bytes, self.models / self.max_models, by_load)


def needs(footprint: Footprint) -> int:
    """Return the bytes that one more model takes at most."""
    return max(footprint.peak_bytes, footprint.resident_bytes)


def needed_bytes(footprints: Iterable[Footprint]) -> int:
    """Return the memory a replica needs for these versions, loads in parallel included."""
    listed = list(footprints)
    growth = sorted((max(0, f.peak_bytes - f.resident_bytes) for f in listed), reverse=True)
    return BASE_BYTES + sum(f.resident_bytes for f in listed) + sum(growth[:PARALLEL_LOADS])


def unwelcome(room: Room, wanted: Wanted) -> str:
    """Return the wish that this shard would not grant, or "": a place all the same if there is no other."""
    if _crowded(room, wanted):
        return f"it has {wanted.held[room.shard]} models of this customer"
    after = room.used_bytes + needs(wanted.footprint)
    if after > (1 - HEADROOM) * room.bound_bytes:
        return f"it would keep no more than {room.bound_bytes - after} bytes free"
    return ""


def place(wanted: Wanted, rooms: Sequence[Room]) -> Decision:
    """Decide on the shard of a model, within its pool."""
    pooled = [room for room in rooms if room.pool == wanted.pool]
    fitting = [room for room in pooled if not room.against(wanted.footprint, wanted.load)]
    spread = [room for room in fitting if not _crowded(room, wanted)]
    welcome = [room for room in spread if not unwelcome(room, wanted)]
    tier = welcome or spread or fitting
    at_home = [room for room in tier if room.shard == wanted.home]
    best = at_home or sorted(tier, key=lambda room: (-room.fullness, room.shard))[:CHOICES]
    drawn = best[_drawn(wanted.servable, len(best))].shard if best else ""
    reason = _reason(pooled, fitting, best, at_home=bool(at_home))
    return _decision(drawn, reason, wanted, pooled)


def _reason(
    pooled: Sequence[Room], fitting: Sequence[Room], best: Sequence[Room], *, at_home: bool
) -> str:
    if not best:
        return f"none of {len(pooled)} shards has room"
    if at_home:
        return "its customer is at home there"
    if len(fitting) == 1:
        return "no other shard has room"
    return f"drawn from the {len(best)} fullest of {len(fitting)} shards with room"


def _crowded(room: Room, wanted: Wanted) -> bool:
    return wanted.held.get(room.shard, 0) >= max(SPREAD_MODELS, SPREAD * room.max_models)


def _decision(shard: str, reason: str, wanted: Wanted, rooms: Sequence[Room]) -> Decision:
    against = {
        room.shard: ""
        if room.shard == shard
        else room.against(wanted.footprint, wanted.load) or unwelcome(room, wanted)
        for room in rooms
    }
    nearest = sorted(
        rooms,
        key=lambda room: (
            room.shard != shard,
            bool(against[room.shard]),
            -room.fullness,
            room.shard,
        ),
    )
    return Decision(
        shard=shard,
        reason=reason,
        needs_bytes=needs(wanted.footprint),
        looked_at=len(rooms),
        choices=tuple(
            Choice(against=against[room.shard], **asdict(room)) for room in nearest[:SHOWN_CHOICES]
        ),
        home=wanted.home,
        pool=wanted.pool,
    )


def home(customer: str, rooms: Sequence[Room], *, pool: str = "") -> str | None:
    """Return a home shard for a new customer: drawn from the fullest that have room for more than one
    model, so that shards fill one after the other and empty ones can go; else the emptiest.
    """
    pooled = [room for room in rooms if room.pool == pool]
    ample = [room for room in pooled if room.fullness <= 1 - HOME_HEADROOM]
    if not ample:
        return emptiest(pooled, pool=pool)
    best = sorted(ample, key=lambda room: (-room.fullness, room.shard))[:CHOICES]
    return best[_drawn(customer, len(best))].shard


def emptiest(rooms: Sequence[Room], *, pool: str = "") -> str | None:
    """Return the shard of a pool that has most room, by share; None where the pool has none."""
    pooled = [room for room in rooms if room.pool == pool]
    return min(pooled, key=lambda room: (room.fullness, room.shard)).shard if pooled else None


def _drawn(seed: str, among: int) -> int:
    """A number below `among`, the same for the same seed, spread evenly over seeds."""
    return int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "big") % among
