"""A whole Berth in simulated time: the real functions, as many calls at a time as are deployed, over the twins.

What costs time: each request to Cloud Storage and Pub/Sub, each question to a server, each call's processor
time (where processors are counted), and a probe's child. See Costs.
"""

import base64
import json
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from berth import events
from berth.adapters.memory import MemoryPublisher
from berth.adapters.outbox import PublishedOutbox, Topics, Writing
from berth.app.admit_model import AdmitModel
from berth.app.admit_version import AdmitVersion
from berth.app.admit_wishes import AdmitWishes
from berth.app.claiming import Claiming
from berth.app.collecting import Collecting
from berth.app.judging import Judging
from berth.app.on_customer_event import OnCustomerEvent
from berth.app.on_upload import OnUpload
from berth.app.placing import Placing
from berth.app.promotion import Promotion
from berth.app.reconcile_fleet import ReconcileFleet
from berth.app.reconcile_shard import ReconcileShard
from berth.app.verdicts import Verdicts
from berth.app.weighing import Scales
from berth.domain import documents
from berth.domain.documents import Template
from berth.domain.errors import Retryable, Terminal, Unavailable
from berth.domain.fleet import FirstShards
from berth.domain.footprint import Footprint
from berth.domain.probing import Measurements, ProbeReport
from berth.domain.workload import Buckets
from tests.simulation import streams
from tests.simulation.clusters import Cluster
from tests.simulation.kernel import Kernel, KernelClock, Process, ProcessClock, Slots
from tests.simulation.servers import Servers
from tests.simulation.stores import IndexedBuckets
from tests.support.world_parts import FILES, MANIFESTS, MOUNT

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


# Calls at a time, by topic, and probes at a time: functions.yaml.
PLACES = {"uploaded": 800, "customers": 400, "admissions": 160, "shards": 320, "ticks": 1}
PROBES = 40
BACKOFF = (1.0, 10.0)


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

    def __init__(self, process: Process, fleet: "Fleet") -> None:
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


@dataclass(slots=True)
class Message:
    """One message on its way."""

    topic: str
    data: bytes
    name: str
    attempts: int = 0


class Fleet:
    """Everything; `announced` are the outcomes published: (seconds, kind, servable, version)."""

    def __init__(self, first: FirstShards, costs: Costs = Costs(), *, places=PLACES, probes=PROBES):
        self.kernel, self.first, self.costs = Kernel(), first, costs
        self.clock = KernelClock(self.kernel)
        self.buckets = IndexedBuckets(self.clock)
        self.uploads, self.models, self.control = map(
            self.buckets.store, ("uploads", "models", "control")
        )
        self.footprints: dict[str, Footprint] = {}
        self.seconds: dict[tuple[str, int], float] = {}
        self.servers = Servers(lambda: self.kernel.now, self._load_seconds)
        self.cluster = Cluster(self.kernel, self.servers, self._boot)
        self.scales = Scales(self.cluster, self.clock)
        processors = costs.processors
        self.processors = Slots(processors) if processors else None
        self.probes = self.processors or Slots(probes)
        self.probe_seconds = 0.0
        self.free = dict(places)
        self.waiting: dict[str, deque[Message]] = {topic: deque() for topic in places}
        self.calls: Counter[str] = Counter()
        self.retried: Counter[str] = Counter()
        self.refused: list[tuple[str, Terminal]] = []
        self.announced: list[tuple[float, str, str, int | None]] = []
        self._seen = self._messages = 0
        template = Template(digest="starter", footprint=streams.STARTER)
        self.control.put("templates/starter.json", template.encode(), if_generation=None)
        self.models.put("templates/starter/1/saved_model.pb", b"starter", if_generation=None)

    # What the outside does

    def sign_up(self, customer: str, plan: str = "enterprise") -> None:
        body = {
            "specversion": "1.0",
            "type": "customer.signed_up",
            "time": self.kernel.time.isoformat(),
            "data": {"customer": customer, "plan": plan},
        }
        self.send("customers", json.dumps(body).encode())

    def deleted(self, customer: str, model: str) -> None:
        body = {
            "specversion": "1.0",
            "type": "model.deleted",
            "time": self.kernel.time.isoformat(),
            "data": {"customer": customer, "model": model},
        }
        self.send("customers", json.dumps(body).encode())

    def upload(self, version: str, footprint: Footprint) -> None:
        """Upload a version: its files at once, each with its event."""
        self.footprints[version + "/"] = footprint
        base, _, number = version.rpartition("/")
        self.seconds[f"{MOUNT}/{base}", int(number)] = footprint.load_seconds
        for name, data in FILES.items():
            self.uploads.put(f"{version}/{name}", data, if_generation=None)
        self._collect()

    def tick(self, *, every: float = 60.0) -> None:
        """Cloud Scheduler: a tick now, and again."""
        self.send("ticks", json.dumps({"sweep": False}).encode())
        self.kernel.at(self.kernel.now + every, lambda: self.tick(every=every))

    # Delivery

    def send(self, topic: str, data: bytes) -> None:
        self._messages += 1
        message = Message(topic, data, f"m{self._messages}")
        self.kernel.at(self.kernel.now + self.costs.event, lambda: self._arrived(message))

    def _arrived(self, message: Message) -> None:
        self.waiting[message.topic].append(message)
        self._begin(message.topic)

    def _begin(self, topic: str) -> None:
        while self.free[topic] and self.waiting[topic]:
            self.free[topic] -= 1
            message = self.waiting[topic].popleft()
            Process(
                self.kernel, lambda process, message=message: self._call(process, message)
            ).start()

    def _call(self, process: Process, message: Message) -> None:
        topic = message.topic
        self.calls[topic] += 1
        if self.processors:
            work = self.costs.cpu.get(topic, 0.0)
            process.wait(self.processors.book(self.kernel.now, work))
        parse, handler = self._function(topic, process)
        try:
            handler.handle(parse(_event(message)))
        except Terminal as error:
            self.refused.append((topic, error))
        except Retryable:
            message.attempts += 1
            self.retried[topic] += 1
            later = min(BACKOFF[0] * 2 ** (message.attempts - 1), BACKOFF[1])
            self.kernel.at(self.kernel.now + later, lambda: self._arrived(message))
        process.settle()
        self._collect()
        self.free[topic] += 1
        if self.waiting[topic]:
            self.kernel.at(self.kernel.now, lambda: self._begin(topic))

    def published(self, topic: str, data: bytes) -> None:
        """A message of Berth's own was stored."""
        if topic != "events":
            self.send(topic, data)
            return
        body = json.loads(data)
        kind = body["type"].removeprefix("dev.berth.")
        version = body["data"].get("version")
        self.announced.append((self.kernel.now, kind, body["subject"], version))

    def _collect(self) -> None:
        written = self.uploads.writes[self._seen :]
        self._seen = len(self.uploads.writes)
        for name, generation in written:
            body = {"eventType": "OBJECT_FINALIZE", "bucketId": "uploads"}
            body |= {"objectId": name, "objectGeneration": str(generation)}
            self.send("uploaded", json.dumps(body).encode())

    def _load_seconds(self, base_path: str, version: int) -> float:
        return self.seconds.get((base_path, version), streams.STARTER.load_seconds)

    def _boot(self, shard: str) -> str | None:
        stored = self.buckets.objects["control"].get(documents.boot_name(shard))
        return stored.data.decode() if stored else None

    # The functions, as one call has them

    def _function(self, topic: str, process: Process):
        clock = ProcessClock(process)
        uploads, models, control = (
            Port(process, store, self._price) for store in (self.uploads, self.models, self.control)
        )
        outbox = PublishedOutbox(
            _Publisher(process, self),
            Topics("events", "admissions", "shards"),
            Writing(events.encode, events.encode_request, events.encode_shard),
            clock,
        )
        if topic == "uploaded":
            return events.uploaded, OnUpload("uploads", uploads, control, outbox)
        if topic == "customers":
            return events.customer_event, OnCustomerEvent(uploads, control, outbox, clock)
        if topic == "admissions":
            return events.admission_request, self._admission(
                process, uploads, models, control, outbox
            )
        if topic == "ticks":
            collecting = Collecting(models, control, clock)
            return events.fleet_tick, ReconcileFleet(
                uploads, control, outbox, clock, self.first, collecting
            )
        return events.shard_request, ReconcileShard(
            control=control,
            workloads=Port(process, self.cluster, lambda kind: self.costs.cluster),
            servers=ProcessServers(process, self.servers, self.costs.server),
            outbox=outbox,
            clock=clock,
            scales=self.scales,
            manifests=MANIFESTS,
            buckets=Buckets("berth", "models", "control"),
            mount=MOUNT,
        )

    def _admission(self, process: Process, uploads, models, control, outbox) -> AdmitModel:
        clock, verdicts = ProcessClock(process), Verdicts(uploads)
        judging = Judging(
            uploads_bucket="uploads",
            control=control,
            outbox=outbox,
            probe=ProcessProbe(process, self),
            promotion=Promotion("uploads", models),
            claiming=Claiming(control, outbox, clock),
            placing=Placing(control, outbox),
            verdicts=verdicts,
            clock=clock,
        )
        versions = AdmitVersion(uploads, control, outbox, judging, verdicts, clock)
        wishes = AdmitWishes(uploads, control, outbox, verdicts, clock)
        return AdmitModel(versions, wishes, verdicts, clock)

    def _price(self, kind: str) -> float:
        if kind in READS:
            return self.costs.read
        return self.costs.listing if kind in LISTS else self.costs.write


class _Publisher(MemoryPublisher):
    """Publishes into the fleet; many messages cost what one does."""

    def __init__(self, process: Process, fleet: Fleet) -> None:
        super().__init__()
        self.process, self.fleet = process, fleet

    def publish(self, topic, data, attributes=None):
        self.publish_all(topic, [data])

    def publish_all(self, topic, messages):
        self.process.settle()
        self.process.lasts(self.fleet.costs.publish)
        for data in messages:
            self.fleet.published(topic, data)


def _event(message: Message) -> events.CloudEvent:
    attributes = {"type": "test", "source": "test", "id": message.name}
    if message.topic == "uploaded":
        notified = {"message": {"attributes": json.loads(message.data)}}
        return events.CloudEvent(attributes, notified)
    body = {
        "data": base64.b64encode(message.data).decode(),
        "messageId": message.name,
        "publishTime": "2026-01-01T00:00:00Z",
    }
    return events.CloudEvent(attributes, {"message": body})
