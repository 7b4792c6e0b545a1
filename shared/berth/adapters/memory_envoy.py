"""Memory twins of the door's surroundings: an Envoy that reads its files, and replicas that a test sets."""

from collections.abc import Mapping, Set

from berth.adapters.memory_calls import Called
from berth.domain import door
from berth.domain.errors import Unavailable


class MemoryEnvoy(Called):
    """Knows the clusters of its file at once, but for those in `warming`; `running` is whether it answers."""

    def __init__(self) -> None:
        """Start without files, running."""
        super().__init__()
        self.stored: dict[str, bytes] = {}
        self.warming: set[str] = set()
        self.running = True

    def files(self) -> Mapping[str, bytes]:
        """Return a copy of all files."""
        with self._called("files", ""):
            return dict(self.stored)

    def write(self, name: str, data: bytes) -> None:
        """Store."""
        with self._called("write", name):
            self.stored[name] = data

    def remove(self, name: str) -> None:
        """Forget."""
        with self._called("remove", name):
            self.stored.pop(name, None)

    def clusters(self) -> Set[str]:
        """Return both clusters of each shard that the file names and that is not warming."""
        with self._called("clusters", ""):
            if not self.running:
                raise Unavailable("Envoy does not run")
            shards = set(door.known(self.stored.get(door.CLUSTERS, b""))) - self.warming
            return {f"{kind}-{shard}" for shard in shards for kind in ("rest", "grpc")}


class MemoryReplicas(Called):
    """Replicas as a test sets them; None: nothing was read yet."""

    def __init__(self) -> None:
        """Start with nothing read."""
        super().__init__()
        self.addresses: dict[str, tuple[str, ...]] | None = None

    def ready(self) -> Mapping[str, tuple[str, ...]]:
        """Return what the test set."""
        with self._called("ready", ""):
            if self.addresses is None:
                raise Unavailable("the pods were not read yet")
            return dict(self.addresses)

    def wait(self, seconds: float) -> None:
        """Return at once."""
        with self._called("wait", str(seconds)):
            return
