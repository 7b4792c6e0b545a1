"""The ports as one process has them: their calls take simulated time."""

from collections.abc import Callable
from dataclasses import dataclass, field

from berth.adapters.memory import MemoryPublisher
from berth.domain.errors import Unavailable
from berth.domain.probing import Measurements, ProbeReport
from tests.simulation.kernel import Process
from tests.simulation.servers import Servers
from tests.support.world_parts import FILES

READS, LISTS = ("get", "stat", "download"), ("list", "folders")


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds. `event` from a write or a publication to the call; `cpu` by function; `processors` None: enough."""

    read: float = 0.02
    listing: float = 0.06
    write: float = 0.05
    publish: float = 0.03
    server: float = 0.01
    cluster: float = 0.03
    event: float = 0.1
    child: float = 0.4
    processors: int | None = None
    cpu: dict[str, float] = field(default_factory=dict)


class Port:
    """A port of one process whose calls cost time."""

    def __init__(self, process: Process, port, price: Callable[[str], float]) -> None:
        self._process, self._port, self._price = process, port, price

    def __getattr__(self, kind):
        call = getattr(self._port, kind)
        process, price = self._process, self._price(kind)

        def priced(*args, **options):
            process.settle()
            try:
                return call(*args, **options)
            finally:
                process.lasts(price)

        return priced


class ProcessServers:
    """ModelServers of one process."""

    def __init__(self, process: Process, servers: Servers, seconds: float) -> None:
        self.process, self.servers, self.seconds = process, servers, seconds

    def statuses(self, address, names, *, timeout):
        self.process.settle()
        self.process.lasts(self.seconds)
        return self.servers.statuses(address, names)

    def reload(self, address, config, *, timeout):
        self.process.settle()
        now = self.process.kernel.now
        ends = self.servers.reload(address, config)
        self.process.lasts(min(max(ends - now, self.seconds), timeout))
        if ends - now > timeout:
            raise Unavailable(f"{address}: the reload did not end within {timeout} s")
        return ""


class ProcessProbe:
    """The probe of one process: a child loads the model, on one of so many instances."""

    def __init__(self, process: Process, fleet) -> None:
        self.process, self.fleet = process, fleet

    def probe(self, request) -> ProbeReport:
        self.process.settle()
        fleet, names = self.fleet, set(request.manifest.by_name())
        missing = tuple(sorted(set(FILES) - names))
        if missing:
            return ProbeReport(state="INCOMPLETE", reason="files are missing", missing=missing)
        footprint = fleet.footprints[request.prefix]
        work = fleet.costs.child + footprint.load_seconds
        ends = fleet.probes.book(fleet.kernel.now, work)
        fleet.probe_seconds += work
        self.process.lasts(ends - fleet.kernel.now)
        measured = Measurements(
            load_seconds=footprint.load_seconds,
            run_seconds=0.01,
            resident_bytes=footprint.resident_bytes,
            peak_bytes=footprint.peak_bytes,
            child_seconds=work,
        )
        return ProbeReport(
            state="ACCEPTED", reason="", files=tuple(sorted(FILES)), measurements=measured
        )


class ProcessPublisher(MemoryPublisher):
    """Publishes into the fleet; many messages cost what one does."""

    def __init__(self, process: Process, fleet) -> None:
        super().__init__()
        self.process, self.fleet = process, fleet

    def publish(self, topic, data, attributes=None):
        self.publish_all(topic, [data])

    def publish_all(self, topic, messages):
        self.process.settle()
        self.process.lasts(self.fleet.costs.publish)
        for data in messages:
            self.fleet.published(topic, data)
