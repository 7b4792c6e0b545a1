"""Fleets that take a stream in, each by its rule: Berth's own placement, and what others do.

All have shards of the same bounds and the same measure of a shard's need (domain/placement.py).
A rule that chooses (best, first, worst fit) gets a new shard when none has room, and none is moved
but to free a shard. A hash cannot choose: it gets shards until the fullest is within its bounds, and
what its ring then gives to another shard moves.
"""

import bisect
import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from berth.domain import growth, placement
from berth.domain.fleet import FirstShards
from berth.domain.footprint import Footprint
from berth.domain.placement import Room, Wanted
from berth.domain.policy import PoolPolicy

GIB = 1024**3
BOUND = 8 * GIB
MAX_MODELS = 200
FIRST = FirstShards(1, 2, 4, BOUND, MAX_MODELS, 10_000)


@dataclass(slots=True)
class Bin:
    """One shard: its models, and what they need together."""

    name: str
    models: dict[str, Footprint] = field(default_factory=dict)
    used: int = placement.BASE_BYTES

    def put(self, model: str, footprint: Footprint) -> None:
        self.models[model] = footprint
        self.used = placement.needed_bytes(self.models.values())

    def take(self, model: str) -> Footprint:
        footprint = self.models.pop(model)
        self.used = placement.needed_bytes(self.models.values())
        return footprint

    @property
    def held(self) -> int:
        """The resident bytes of its models."""
        return sum(one.resident_bytes for one in self.models.values())

    @property
    def room(self) -> Room:
        """As placement sees it."""
        return Room(self.name, len(self.models), MAX_MODELS, self.used, BOUND)

    def switches(self, model: str, footprint: Footprint) -> bool:
        """Whether a new version loads beside the one that serves."""
        return placement.needed_bytes([*self.models.values(), footprint]) <= BOUND

    @property
    def over(self) -> bool:
        return self.used > BOUND or len(self.models) > MAX_MODELS


Choose = Callable[[Wanted, Sequence[Room]], str]


class Fleet:
    """Shards whose rule chooses; `moved` counts bytes by why they moved."""

    def __init__(self, choose: Choose, *, homes: bool = False, ahead: bool = False) -> None:
        self.choose, self.homes, self.ahead = choose, homes, ahead
        self.bins: dict[str, Bin] = {}
        self.places: dict[str, str] = {}
        self.owner: dict[str, str] = {}
        self.held: dict[str, Counter[str]] = defaultdict(Counter)
        self.home: dict[str, str] = {}
        self.added = self.freed = self.relieved = 0
        self.moved_to_free = self.moved_to_add = self.moved_to_relieve = 0

    def came(self, model: str, customer: str, footprint: Footprint) -> None:
        if model in self.places:
            self._changed(model, footprint)
            return
        self.owner[model] = customer
        self._put(model, footprint, self._home(customer))

    def went(self, model: str) -> None:
        self._take(model)
        self.places.pop(model)

    def tick(self) -> None:
        """Make shards before they are needed, as the real growth says, where this fleet does."""
        if not self.ahead:
            return
        rooms = tuple(b.room for b in self.bins.values())
        pool = growth.Pool("", PoolPolicy(), rooms, len(rooms), {})
        for _ in growth.make([pool], list(self.bins), FIRST).create:
            self._added()

    def free(self) -> None:
        """Free whole shards while what one holds fits into the others: the one that holds least first."""
        while self._freed_one():
            pass

    def _freed_one(self) -> bool:
        used = sorted((b for b in self.bins.values() if b.models), key=lambda b: (b.held, b.name))
        room = sum(BOUND - b.used for b in used[1:])
        if len(used) < 2 or room < used[0].held:
            return False
        least = used[0]
        left = {b.name: b.room for b in used[1:]}
        found = {}
        for model, footprint in sorted(
            least.models.items(), key=lambda item: (-item[1].resident_bytes, item[0])
        ):
            name = best_fit(Wanted(model, footprint), list(left.values()))
            if not name:
                return False
            found[model] = name
            left[name] = left[name].taking(footprint)
        self.moved_to_free += least.held
        for model, name in found.items():
            self._place(model, name, self._take(model))
        self.freed += 1
        del self.bins[least.name]
        return True

    def _changed(self, model: str, footprint: Footprint) -> None:
        """A new version: it stays where it is unless both versions do not fit there for a while."""
        stays = self.bins[self.places[model]].switches(model, footprint)
        here = self.places[model]
        self._take(model)
        if stays:
            self._place(model, here, footprint)
        else:
            self.moved_to_relieve += footprint.resident_bytes
            self.relieved += 1
            self._put(model, footprint, "")

    def _put(self, model: str, footprint: Footprint, home: str) -> None:
        held = self.held[self.owner[model]]
        wanted = Wanted(model, footprint, home=home, held=held)
        name = self.choose(wanted, [b.room for b in self.bins.values()]) or self._added()
        self._place(model, name, footprint)

    def _place(self, model: str, name: str, footprint: Footprint) -> None:
        self.bins[name].put(model, footprint)
        self.places[model] = name
        self.held[self.owner[model]][name] += 1

    def _take(self, model: str) -> Footprint:
        self.held[self.owner[model]][self.places[model]] -= 1
        return self.bins[self.places[model]].take(model)

    def _home(self, customer: str) -> str:
        if not self.homes:
            return ""
        if customer not in self.home or self.home[customer] not in self.bins:
            rooms = [b.room for b in self.bins.values()]
            self.home[customer] = placement.home(customer, rooms) or self._added()
        return self.home[customer]

    def _added(self) -> str:
        self.added += 1
        name = f"shard-{self.added}"
        self.bins[name] = Bin(name)
        return name


def berth(wanted: Wanted, rooms: Sequence[Room]) -> str:
    """The real decision."""
    return placement.place(wanted, rooms).shard


def best_fit(wanted: Wanted, rooms: Sequence[Room]) -> str:
    """The fullest with room."""
    fitting = _fitting(wanted, rooms)
    return max(fitting, key=lambda room: room.used_bytes).shard if fitting else ""


def first_fit(wanted: Wanted, rooms: Sequence[Room]) -> str:
    """The oldest with room."""
    return next((room.shard for room in _fitting(wanted, rooms)), "")


def worst_fit(wanted: Wanted, rooms: Sequence[Room]) -> str:
    """The emptiest with room."""
    fitting = _fitting(wanted, rooms)
    return min(fitting, key=lambda room: room.used_bytes).shard if fitting else ""


def _fitting(wanted: Wanted, rooms: Sequence[Room]) -> list[Room]:
    return [room for room in rooms if room.fits(wanted.footprint)]


class Ring(Fleet):
    """Consistent hashing with `points` virtual nodes a shard."""

    def __init__(self, points: int, *, seed: int = 0) -> None:
        super().__init__(first_fit)
        self.points, self.seed = points, seed
        self.ring: list[tuple[int, str]] = []
        self.keys: dict[str, int] = {}
        self._grow()

    def came(self, model: str, customer: str, footprint: Footprint) -> None:
        if model in self.places:
            name = self.places[model]
        else:
            self.keys[model] = _hash(f"{self.seed}/{model}")
            name = self.places[model] = self._owner(self.keys[model])
        self.owner[model] = customer
        self.bins[name].put(model, footprint)
        while any(b.over for b in self.bins.values()):
            self._grow()

    def went(self, model: str) -> None:
        self.bins[self.places.pop(model)].take(model)

    def free(self) -> None:
        """Take shards away, the newest first, while all others stay within their bounds."""
        while len(self.bins) > 1 and self._fits_without(next(reversed(self.bins))):
            gone = self.bins.pop(next(reversed(self.bins)))
            self.ring = [point for point in self.ring if point[1] != gone.name]
            self.moved_to_free += gone.held
            for model, footprint in gone.models.items():
                self.places[model] = self._owner(self.keys[model])
                self.bins[self.places[model]].put(model, footprint)
            self.freed += 1

    def _fits_without(self, name: str) -> bool:
        ring = [point for point in self.ring if point[1] != name]
        after = {b.name: dict(b.models) for b in self.bins.values() if b.name != name}
        for model, footprint in self.bins[name].models.items():
            after[_owner(ring, self.keys[model])][model] = footprint
        return all(not Bin("", m, placement.needed_bytes(m.values())).over for m in after.values())

    def _grow(self) -> None:
        name = self._added()
        for number in range(self.points):
            bisect.insort(self.ring, (_hash(f"{self.seed}/{name}#{number}"), name))
        for model, key in self.keys.items():
            if model in self.places and self._owner(key) == name != self.places[model]:
                footprint = self.bins[self.places[model]].take(model)
                self.moved_to_add += footprint.resident_bytes
                self.bins[name].put(model, footprint)
                self.places[model] = name

    def _owner(self, key: int) -> str:
        return _owner(self.ring, key)


def _owner(ring: list[tuple[int, str]], key: int) -> str:
    return ring[bisect.bisect(ring, (key, "")) % len(ring)][1]


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def lower_bound(footprints: Sequence[Footprint]) -> float:
    """Shards that no packing can do without: by bytes and by count, not rounded up."""
    held = sum(one.resident_bytes for one in footprints)
    return max(held / (BOUND - placement.BASE_BYTES), len(footprints) / MAX_MODELS, 1.0)
