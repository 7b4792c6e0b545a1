"""Memory twin of the pods' ModelService: many TF Serving processes, keyed by address."""

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from google.protobuf import text_format

from berth import ports
from berth.adapters.memory_calls import Called
from berth.adapters.memory_server import MemoryServer
from berth.domain.errors import Unavailable
from berth.protos import tfserving_pb2

LOADS = ports.VersionStatus("AVAILABLE")


class MemoryModelServers(Called):
    """All servers of a test's world; they share one mount of model files.

    A `tick` of the twin is `seconds` long. A reload lets ticks of its own server pass until it ends
    or its timeout is over; every other change takes `tick`. Servers in `unreachable` do not answer.
    `reloads` keeps (address, config text) of each push that arrived. A call of `before` and `after`
    (see Called) names the address.
    """

    def __init__(self, *, load_ticks: int = 1, seconds: float = 0.1) -> None:
        """Start with no servers and no files."""
        super().__init__()
        self.load_ticks = load_ticks
        self.seconds = seconds
        self.files: dict[str, dict[int, ports.VersionStatus]] = {}
        self.broken_on: dict[tuple[str, str, int], ports.VersionStatus] = {}
        self.unreachable: set[str] = set()
        self.reloads: list[tuple[str, str]] = []
        self._servers: dict[str, MemoryServer] = {}
        self._lock = threading.RLock()

    def add_files(self, base_path: str, version: int, *, code: int = 0, message: str = "") -> None:
        """Put a version under a base path; with a code its load ends with that error."""
        status = ports.VersionStatus("END", code, message) if code else LOADS
        self.files.setdefault(base_path, {})[version] = status

    def break_on(self, address: str, base_path: str, version: int, message: str) -> None:
        """Let one version's load fail on one server alone, with INTERNAL."""
        self.broken_on[address, base_path, version] = ports.VersionStatus("END", 13, message)

    def remove_files(self, base_path: str, version: int) -> None:
        """Take a version away; a base path without any is missing."""
        self.files.get(base_path, {}).pop(version, None)

    def boot(self, address: str, config: str) -> None:
        """Start a process with the text of a boot config; it answers when `up` says so."""
        with self._lock:
            self._servers[address] = MemoryServer(
                _parse(config), partial(self._present, address), self.load_ticks
            )

    def up(self, address: str) -> bool:
        """Say whether the ports are open: the boot config has settled."""
        server = self._servers.get(address)
        return server is not None and server.up

    def exited(self, address: str) -> bool:
        """Say whether the process ended because a model of its boot config failed."""
        server = self._servers.get(address)
        return server is not None and server.exited

    def stop(self, address: str) -> None:
        """End the process."""
        with self._lock:
            self._servers.pop(address, None)

    def tick(self, times: int = 1) -> None:
        """Let all servers take a sweep and a step, as often as told."""
        with self._lock:
            for _ in range(times):
                for server in self._servers.values():
                    server.tick()

    def statuses(
        self, address: str, names: Sequence[str], *, timeout: float
    ) -> Mapping[str, Mapping[int, ports.VersionStatus]]:
        """Return what one server says of each name."""
        with self._called("statuses", address), self._lock:
            server = self._reach(address)
            return {name: server.statuses(name) for name in names}

    def reload(self, address: str, config: str, *, timeout: float) -> str:
        """Push one config."""
        wanted = _parse(config)
        with self._called("reload", address), self._lock:
            server = self._reach(address)
            self.reloads.append((address, config))
            reload = server.submit(wanted)
            for _ in range(int(timeout / self.seconds)):
                if reload.ended:
                    break
                server.tick()
            if not reload.ended:
                raise Unavailable(f"{address}: the reload did not end within {timeout} s")
            return reload.answer

    def _reach(self, address: str) -> MemoryServer:
        server = self._servers.get(address)
        if server is None or not server.up or address in self.unreachable:
            raise Unavailable(f"{address}: connection refused")
        return server

    def _present(self, address: str, base_path: str) -> Mapping[int, ports.VersionStatus] | None:
        found = self.files.get(base_path)
        if not found:
            return None
        return {n: self.broken_on.get((address, base_path, n), s) for n, s in found.items()}


class ServerRuntime:
    """Lets MemoryWorkloads' pods run servers, each booting with its shard's boot config.

    `boot_config` returns the text of the shard's boot config, or None while there is none: the
    container then ends and starts again.
    """

    def __init__(
        self, servers: MemoryModelServers, boot_config: Callable[[str], str | None]
    ) -> None:
        """Join servers to pods."""
        self._servers = servers
        self._boot_config = boot_config
        self._failed: set[str] = set()

    def start(self, shard: str, pod: ports.Pod) -> None:
        """Boot a server at the pod's address."""
        config = self._boot_config(shard)
        if config is None:
            self._failed.add(pod.address)
        else:
            self._failed.discard(pod.address)
            self._servers.boot(pod.address, config)

    def ready(self, shard: str, pod: ports.Pod) -> bool:
        """Ready when the ports are open."""
        return self._servers.up(pod.address)

    def exited(self, shard: str, pod: ports.Pod) -> bool:
        """Ended when the boot config failed."""
        return pod.address in self._failed or self._servers.exited(pod.address)

    def stop(self, shard: str, pod: ports.Pod) -> None:
        """End the server."""
        self._servers.stop(pod.address)


def _parse(config: str) -> tfserving_pb2.ModelServerConfig:
    return text_format.Parse(config, tfserving_pb2.ModelServerConfig())
