"""TF Serving's servers in simulated time: when each version is AVAILABLE follows from what was told when.

The file system is polled each second; the manager starts one load or unload every 100 ms; four load
threads; a reload returns when every name it added has come, and no other begins before. A server that
starts loads with four threads for each of two processors, and is ready when all has come.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from google.protobuf import text_format

from berth.domain.errors import Unavailable
from berth.domain.observation import VersionStatus
from berth.protos import tfserving_pb2
from tests.simulation.kernel import Slots

POLL = 1.0
TICK = 0.1
LOAD_THREADS = 4
START_THREADS = 8
PROCESS_START = 1.0


@dataclass(slots=True)
class Spell:
    """One version on one server: when it began to load, is AVAILABLE, and ended (None: not yet)."""

    loading: float
    available: float
    end: float | None = None

    def state(self, now: float) -> str:
        if self.end is not None and now >= self.end:
            return "END"
        if now >= self.available:
            return "AVAILABLE"
        return "LOADING" if now >= self.loading else "START"


@dataclass(slots=True)
class Server:
    """One process. `seconds(base_path, version)` is how long a load takes."""

    seconds: Callable[[str, int], float]
    phase: float
    ready_at: float = 0.0
    named: dict[str, tuple[str, tuple[int, ...]]] = field(default_factory=dict)
    spells: dict[str, dict[int, Spell]] = field(default_factory=dict)
    manager: float = 0.0
    mutex: float = 0.0
    threads: Slots = field(default_factory=lambda: Slots(LOAD_THREADS))
    loads: int = 0

    def boot(self, now: float, config: str) -> None:
        threads = Slots(START_THREADS)
        ends = [self._tell(now + PROCESS_START, parse(config), threads)]
        self.ready_at = self.mutex = max(now + PROCESS_START, *ends)

    def reload(self, now: float, config: str) -> float:
        """Take a config; return when the reload ends."""
        began = max(now, self.mutex)
        found = (began - self.phase) // POLL * POLL + POLL + self.phase
        self.mutex = max(began, self._tell(found, parse(config), self.threads))
        return self.mutex

    def statuses(self, now: float, name: str) -> dict[int, VersionStatus]:
        spells = self.spells.get(name, {})
        return {n: VersionStatus(spells[n].state(now)) for n in sorted(spells, reverse=True)}

    def held(self, now: float) -> list[tuple[str, int]]:
        """What is in memory: (name, version) of all that is loading or AVAILABLE."""
        return [
            (name, number)
            for name, spells in self.spells.items()
            for number, spell in spells.items()
            if spell.loading <= now and (spell.end is None or now < spell.end)
        ]

    def _tell(self, found: float, wanted: dict, threads: Slots) -> float:
        """Begin the loads and unloads of a new config; return when the last new name has come."""
        ends = found if wanted.keys() - self.named.keys() else 0.0
        for name, (base_path, numbers) in wanted.items():
            known = self.spells.setdefault(name, {})
            for number in numbers:
                if number in known and known[number].end is None:
                    continue
                self.manager = max(self.manager + TICK, found)
                done = threads.book(self.manager, self.seconds(base_path, number))
                known[number] = Spell(self.manager, done)
                self.loads += 1
                if name not in self.named:
                    ends = max(ends, done)
        for name in self.named:
            kept = wanted.get(name, ("", ()))[1]
            known = self.spells[name]
            came = max((known[n].available for n in kept), default=found)
            for number, spell in known.items():
                if number not in kept and spell.end is None:
                    self.manager = max(self.manager + TICK, found, came, spell.available)
                    spell.end = self.manager + TICK
        self.named = wanted
        return ends


_PARSED: dict[str, dict[str, tuple[str, tuple[int, ...]]]] = {}


def parse(config: str) -> dict[str, tuple[str, tuple[int, ...]]]:
    """A config's names with their base paths and versions; replicas are told the same texts."""
    if config not in _PARSED:
        if len(_PARSED) > 4000:
            _PARSED.clear()
        read = text_format.Parse(config, tfserving_pb2.ModelServerConfig())
        _PARSED[config] = {
            model.name: (model.base_path, tuple(model.model_version_policy.specific.versions))
            for model in read.model_config_list.config
        }
    return _PARSED[config]


class Servers:
    """All servers, by address."""

    def __init__(self, now: Callable[[], float], seconds: Callable[[str, int], float]) -> None:
        self.now, self.seconds = now, seconds
        self.by_address: dict[str, Server] = {}
        self.lock = threading.Lock()
        self.reloads = 0

    def boot(self, address: str, config: str) -> None:
        server = Server(self.seconds, phase=(len(self.by_address) * 0.37) % POLL)
        server.boot(self.now(), config)
        self.by_address[address] = server

    def stop(self, address: str) -> None:
        self.by_address.pop(address, None)

    def up(self, address: str) -> bool:
        server = self.by_address.get(address)
        return server is not None and self.now() >= server.ready_at

    def statuses(
        self, address: str, names: Sequence[str]
    ) -> Mapping[str, Mapping[int, VersionStatus]]:
        server, now = self._reach(address), self.now()
        return {name: server.statuses(now, name) for name in names}

    def reload(self, address: str, config: str) -> float:
        """Push a config; return when the reload ends."""
        with self.lock:
            self.reloads += 1
            return self._reach(address).reload(self.now(), config)

    def _reach(self, address: str) -> Server:
        if not self.up(address):
            raise Unavailable(f"{address}: connection refused")
        return self.by_address[address]
