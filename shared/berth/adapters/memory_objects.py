"""Memory twin of Cloud Storage. It follows the cloud, not the emulator."""

import base64
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import google_crc32c

from berth import ports
from berth.adapters.memory_calls import Called
from berth.domain.errors import Conflict, NotFound, Retryable

# A metadata key and value count towards 8 KiB for the whole object.
METADATA_BYTES = 8192
READS = ("get", "stat", "list", "folders", "download")
WRITES = ("put", "copy_from", "delete")


class MemoryBuckets:
    """All buckets of one project. Generations grow, and never come back after a delete."""

    def __init__(self, clock: ports.Clock) -> None:
        """Start with no objects; `clock` stamps what is written."""
        self.clock = clock
        self.lock = threading.RLock()
        self.objects: dict[str, dict[str, ports.StoredObject]] = {}
        self._generation = 1_700_000_000_000_000

    def next_generation(self) -> int:
        """Return a generation greater than all before."""
        with self.lock:
            self._generation += 1
            return self._generation

    def store(self, bucket: str) -> "MemoryObjectStore":
        """Return one bucket, which is made if it is not there."""
        return MemoryObjectStore(self, bucket)


class MemoryObjectStore(Called):
    """One bucket.

    `writes` keeps (name, generation) of what was written and `deletes` the names of what was
    deleted. A call of `before` and `after` (see Called) names the object, a list its prefix.
    """

    def __init__(self, buckets: MemoryBuckets, bucket: str) -> None:
        """Share the objects of `bucket` with every other store of that name."""
        super().__init__()
        self.bucket = bucket
        self.writes: list[tuple[str, int]] = []
        self.deletes: list[str] = []
        self._buckets = buckets
        self._objects = buckets.objects.setdefault(bucket, {})

    @property
    def reads(self) -> int:
        """Calls that read."""
        return sum(self.calls[kind] for kind in READS)

    @property
    def mutations(self) -> int:
        """Calls that write or delete, refused ones included."""
        return sum(self.calls[kind] for kind in WRITES)

    def get(self, name: str) -> ports.StoredObject | None:
        """Return the newest generation, or None."""
        with self._called("get", name):
            return self._objects.get(name)

    def stat(self, name: str) -> ports.ObjectStat | None:
        """Return the newest generation's facts, or None."""
        with self._called("stat", name):
            found = self._objects.get(name)
            return found.stat if found else None

    def list(
        self, prefix: str, *, limit: int | None = None, start: str = ""
    ) -> Sequence[ports.ObjectStat]:
        """Return what lies under a prefix, ordered by name."""
        with self._called("list", prefix), self._buckets.lock:
            names = sorted(n for n in self._objects if n.startswith(prefix) and n >= start)
            return tuple(self._objects[name].stat for name in names[:limit])

    def folders(self, prefix: str) -> Sequence[str]:
        """Return the folders directly under a prefix."""
        with self._called("folders", prefix):
            with self._buckets.lock:
                below = [name[len(prefix) :] for name in self._objects if name.startswith(prefix)]
            return tuple(sorted({rest.split("/", 1)[0] for rest in below if "/" in rest}))

    def put(
        self,
        name: str,
        data: bytes,
        *,
        if_generation: int | None,
        metadata: Mapping[str, str] | None = None,
    ) -> int:
        """Write if the newest generation is `if_generation`."""
        with self._called("put", name):
            _check(name, metadata or {})
            with self._buckets.lock:
                found = self._objects.get(name)
                newest = found.stat.generation if found else 0
                if if_generation is not None and newest != if_generation:
                    raise Conflict(
                        f"{self.bucket}/{name}: generation {if_generation} is not the newest"
                    )
                return self._write(name, bytes(data), dict(metadata or {})).generation

    def copy_from(
        self, source_bucket: str, source: str, *, generation: int, name: str
    ) -> ports.ObjectStat:
        """Copy one pinned generation."""
        with self._called("copy_from", name), self._buckets.lock:
            pinned = _pinned(self._buckets.objects.get(source_bucket, {}), source, generation)
            return self._write(name, pinned.data, {})

    def delete(self, name: str) -> None:
        """Delete; absent is no error."""
        with self._called("delete", name), self._buckets.lock:
            if self._objects.pop(name, None):
                self.deletes.append(name)

    def download(self, name: str, *, generation: int, into: Path) -> None:
        """Write one pinned generation to a file."""
        with self._called("download", name):
            into.write_bytes(_pinned(self._objects, name, generation).data)

    def _write(self, name: str, data: bytes, metadata: Mapping[str, str]) -> ports.ObjectStat:
        checksum = google_crc32c.value(data).to_bytes(4, "big")
        stat = ports.ObjectStat(
            name=name,
            generation=self._buckets.next_generation(),
            size=len(data),
            crc32c=base64.b64encode(checksum).decode(),
            updated=self._buckets.clock.now(),
            metadata=metadata,
        )
        self._objects[name] = ports.StoredObject(stat, data)
        self.writes.append((name, stat.generation))
        return stat


def _pinned(
    objects: Mapping[str, ports.StoredObject], name: str, generation: int
) -> ports.StoredObject:
    found = objects.get(name)
    if found is None or found.stat.generation != generation:
        raise NotFound(f"{name}: generation {generation} is gone")
    return found


def _check(name: str, metadata: Mapping[str, str]) -> None:
    if not 1 <= len(name.encode()) <= 1024 or "\n" in name or "\r" in name or name in (".", ".."):
        raise Retryable(f"{name!r} is no object name")
    if (
        sum(len(key.encode()) + len(value.encode()) for key, value in metadata.items())
        > METADATA_BYTES
    ):
        raise Retryable(f"{name}: more than {METADATA_BYTES} bytes of metadata")
