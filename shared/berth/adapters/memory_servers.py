"""Memory twin of the pods' ModelService: many TF Serving processes, keyed by address."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from google.protobuf import text_format

from berth import ports
from berth.adapters.memory_calls import Called
from berth.adapters.memory_server import Death, MemoryServer
from berth.domain.errors import Unavailable
from berth.protos import tfserving_pb2

LOADS = ports.VersionStatus("AVAILABLE")


@dataclass(slots=True)
class Killer:
    """A version that ends the process which loads it, or (`on_request`) which is asked for it.

    Only at `address` if given; only the first `left` times if not None.
    """

    death: Death
    on_request: bool = False
    address: str = ""
    left: int | None = None

    def strikes(self, address: str, *, on_request: bool) -> Death | None:
        """Return the death that this occasion brings, and count it."""
        if on_request != self.on_request or self.address not in ("", address) or self.left == 0:
            return None
        if self.left is not None:
            self.left -= 1
        return self.death


class MemoryModelServers(Called):
    """All servers of a test's world; they share one mount of model files.

    A `tick` of the twin is `seconds` long. A reload lets ticks of its own server pass until it ends
    or its timeout is over; every other change takes `tick`. Servers in `unreachable` do not answer.
    Versions in `killers` end the process. `wedged` servers hold their reload mutex for ever.
    A version in `hidden_on` (address, base path, version) is not seen on that server's mount yet.
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
        self.killers: dict[tuple[str, int], Killer] = {}
        self.hidden_on: set[tuple[str, str, int]] = set()
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

    def wedge(self, address: str) -> None:
        """Let a running server's reload mutex never be free again."""
        self._servers[address].wedged = True

    def keep_busy(self, address: str, busy: bool) -> None:
        """Begin or end a slow request, which holds a server's manager: no servable moves."""
        self._servers[address].busy = busy

    def outstanding(self, address: str) -> tuple[str, ...]:
        """Return the configs whose reload was asked for and has not ended, in their order."""
        server = self._servers.get(address)
        return tuple(map(str, server.waiting())) if server else ()

    def request(self, address: str, name: str, version: int) -> bool:
        """Ask a server for a prediction by one version; say whether it was answered."""
        with self._lock:
            server = self._servers.get(address)
            if server is None or not server.up or address in self.unreachable:
                return False
            said = server.statuses(name).get(version)
            if said is None or said.state != "AVAILABLE":
                return False
            killer = self.killers.get((server.base_path(name), version))
            death = killer.strikes(address, on_request=True) if killer else None
            if death:
                server.die(death)
            return death is None

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
        """Say whether the process ended by itself: its boot config failed, or a model killed it."""
        return self.death(address) is not None

    def death(self, address: str) -> Death | None:
        """Return how the process ended; None while it runs, or where there is none."""
        server = self._servers.get(address)
        return server.death if server else None

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
                if server.exited:
                    raise Unavailable(f"{address}: connection reset")
            if not reload.ended:
                raise Unavailable(f"{address}: the reload did not end within {timeout} s")
            return reload.answer

    def _reach(self, address: str) -> MemoryServer:
        server = self._servers.get(address)
        if server is None or not server.up or address in self.unreachable:
            raise Unavailable(f"{address}: connection refused")
        return server

    def _present(
        self, address: str, base_path: str, loading: int = 0
    ) -> Mapping[int, ports.VersionStatus | Death] | None:
        found = self.files.get(base_path)
        if not found:
            return None
        present: dict[int, ports.VersionStatus | Death] = {
            n: self.broken_on.get((address, base_path, n), s)
            for n, s in found.items()
            if (address, base_path, n) not in self.hidden_on
        }
        killer = self.killers.get((base_path, loading))
        if killer and loading in present:
            present[loading] = killer.strikes(address, on_request=False) or present[loading]
        return present


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

    def exited(self, shard: str, pod: ports.Pod) -> Death | None:
        """Return how it ended: its boot config failed or was not there, or a model killed it."""
        return Death(255) if pod.address in self._failed else self._servers.death(pod.address)

    def stop(self, shard: str, pod: ports.Pod) -> None:
        """End the server."""
        self._servers.stop(pod.address)


def _parse(config: str) -> tfserving_pb2.ModelServerConfig:
    return text_format.Parse(config, tfserving_pb2.ModelServerConfig())
