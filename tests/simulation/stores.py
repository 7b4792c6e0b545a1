"""The memory twin of Cloud Storage with an index of its names: listings cost what they return."""

import bisect
import itertools
from collections import Counter
from datetime import datetime, timedelta

from berth.adapters.memory_objects import MemoryBuckets, MemoryObjectStore

CHUNK = 2000


class Names:
    """A sorted set of names, in chunks."""

    def __init__(self) -> None:
        self.chunks: list[list[str]] = [[]]

    def add(self, name: str) -> None:
        chunk = self.chunks[self._at(name)]
        place = bisect.bisect_left(chunk, name)
        if place < len(chunk) and chunk[place] == name:
            return
        chunk.insert(place, name)
        if len(chunk) > CHUNK:
            half = len(chunk) // 2
            self.chunks.insert(self._at(name) + 1, chunk[half:])
            del chunk[half:]

    def remove(self, name: str) -> None:
        at = self._at(name)
        chunk = self.chunks[at]
        place = bisect.bisect_left(chunk, name)
        if place < len(chunk) and chunk[place] == name:
            del chunk[place]
        if not chunk and len(self.chunks) > 1:
            del self.chunks[at]

    def since(self, start: str):
        """The names from `start` on, in order."""
        at = self._at(start)
        first = self.chunks[at]
        yield from itertools.islice(first, bisect.bisect_left(first, start), None)
        for chunk in self.chunks[at + 1 :]:
            yield from chunk

    def _at(self, name: str) -> int:
        low, high = 0, len(self.chunks) - 1
        while (
            low < high
        ):  # the last chunk that begins no later than the name; only a sole one is empty
            middle = (low + high + 1) // 2
            if self.chunks[middle][0] <= name:
                low = middle
            else:
                high = middle - 1
        return low


class IndexedStore(MemoryObjectStore):
    """One bucket. `gaps` is the shortest time between two writes to one name, in seconds, by kind of object."""

    def __init__(self, buckets: MemoryBuckets, bucket: str) -> None:
        super().__init__(buckets, bucket)
        self.names = Names()
        self.gaps: dict[str, float] = {}
        self.counts: Counter[str] = Counter()
        self._times: dict[str, list[datetime]] = {}

    def busiest(self, since: datetime, window: float = 10.0) -> dict[str, int]:
        """The most writes to one name within a window of so many seconds, by kind of object."""
        found: dict[str, int] = {}
        for name, times in self._times.items():
            recent = [t for t in times if t >= since]
            most = max(
                (
                    bisect.bisect(recent, t + timedelta(seconds=window)) - n
                    for n, t in enumerate(recent)
                ),
                default=0,
            )
            found[_kind(name)] = max(most, found.get(_kind(name), 0))
        return {kind: most for kind, most in found.items() if most}

    def list(self, prefix, *, limit=None, start=""):
        with self._called("list", prefix), self._buckets.lock:
            since = self.names.since(max(prefix, start))
            under = itertools.takewhile(lambda name: name.startswith(prefix), since)
            return tuple(self._objects[name].stat for name in itertools.islice(under, limit))

    def folders(self, prefix):
        with self._called("folders", prefix), self._buckets.lock:
            found, start = [], prefix
            while True:
                name = next(self.names.since(start), None)
                if name is None or not name.startswith(prefix):
                    return tuple(found)
                folder, slash, _ = name[len(prefix) :].partition("/")
                if slash:
                    found.append(folder)
                    start = prefix + folder + "0"  # the character after the slash
                else:
                    start = name + "\0"

    def delete(self, name):
        with self._buckets.lock:
            super().delete(name)
            self.names.remove(name)

    def _write(self, name, data, metadata):
        self.names.add(name)
        stat = super()._write(name, data, metadata)
        kind = _kind(name)
        self.counts[kind] += 1
        times = self._times.setdefault(name, [])
        if times:
            gap = (stat.updated - times[-1]).total_seconds()
            self.gaps[kind] = min(gap, self.gaps.get(kind, gap))
        times.append(stat.updated)
        return stat


def _kind(name: str) -> str:
    """What an object is: the parts of its name without what names one model or shard."""
    parts = name.split("/")
    if parts[0] == "shards":
        return f"shards/*/{parts[2]}"
    return parts[0]


class IndexedBuckets(MemoryBuckets):
    """All buckets, one store each."""

    def __init__(self, clock) -> None:
        super().__init__(clock)
        self.stores: dict[str, IndexedStore] = {}

    def store(self, bucket: str) -> IndexedStore:
        if bucket not in self.stores:
            self.stores[bucket] = IndexedStore(self, bucket)
        return self.stores[bucket]
