"""What a world is made of beside Berth: uploads, messages on their way, the servers' mount, deaths."""

import copyreg
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

import yaml

from berth.adapters.memory_objects import MemoryBuckets
from berth.adapters.memory_servers import LOADS
from berth.domain import documents
from berth.domain.observation import VersionStatus
from infra.functions import ROOT
from tests.support import granted

MIB = 1024**2
MOUNT = "/models"
MANIFESTS = tuple(
    yaml.safe_load(p.read_text()) for p in sorted((ROOT / "k8s/shard").glob("*.yaml"))
)
SHARD_FILE = "variables/variables.data-00000-of-00001"
FILES: Mapping[str, bytes] = {
    "saved_model.pb": b"graph",
    "variables/variables.index": b"index",
    SHARD_FILE: b"weights",
}
MAX_ATTEMPTS = 60


# Locks hold nothing: a copy of a world has its own.
copyreg.pickle(type(threading.RLock()), lambda lock: (threading.RLock, ()))
copyreg.pickle(type(threading.Lock()), lambda lock: (threading.Lock, ()))


class Crash(Exception):
    """The process is gone: every call of it fails from here on."""


@dataclass(slots=True)
class Delivery:
    """One message on its way to one function."""

    topic: str
    data: bytes
    message: str
    attempts: int = 0


@dataclass(slots=True)
class Mount:
    """The buckets as the serving pods see them. `broken` maps (base path, version) to how a load ends."""

    buckets: MemoryBuckets
    broken: dict[tuple[str, int], VersionStatus] = field(default_factory=dict)

    def get(self, base_path: str) -> dict[int, VersionStatus]:
        prefix = base_path.removeprefix(MOUNT + "/") + "/"
        rights = granted.serving(self.buckets)
        rights.need("models", granted.LIST, prefix)
        found = {}
        for name in list(self.buckets.objects["models"]):
            if name.startswith(prefix) and name.endswith("/saved_model.pb"):
                rights.read("models", name)
                number = int(name.removeprefix(prefix).split("/")[0])
                found[number] = self.broken.get((base_path, number), LOADS)
        return found

    def boot(self, shard: str) -> str | None:
        """The boot config, as the pods of a shard see it."""
        name = documents.boot_name(shard)
        rights = granted.serving(self.buckets)
        rights.need("control", granted.LIST, "")  # GCS FUSE asks for the bucket's layout
        rights.read("control", name)
        stored = self.buckets.objects["control"].get(name)
        return stored.data.decode() if stored else None


class Failures:
    """Induced failures of a World."""

    def named_ports(self):
        """Every port's twin, by name."""
        names = (
            "uploads",
            "models",
            "control",
            "workloads",
            "servers",
            "publisher",
            "probe",
            "clock",
        )
        return {name: getattr(self, name) for name in names}

    @property
    def ports(self):
        return tuple(self.named_ports().values())

    def fail(self, before, after=None) -> None:
        """Call `before(kind, name)` and `after(kind, name)` at every call of every port.

        What they raise is the call's failure: before it, or when its effect happened already.
        """
        for port in self.ports:
            port.before, port.after = before, after

    def crash_at(self, number: int) -> None:
        """Let the running function die at its n-th call of any port."""
        left = [number]

        def check(kind: str, name: str) -> None:
            left[0] -= 1
            if left[0] <= 0:
                raise Crash(f"{kind} {name}")

        self.fail(check)

    def revive(self) -> None:
        self.fail(None)
