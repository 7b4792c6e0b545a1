"""A whole Berth in simulated time: the real functions, as many calls at a time as are deployed, over the twins.

What costs time: each request to Cloud Storage and Pub/Sub, each question to a server, each call's processor
time (where processors are counted), and a probe's child. See Costs.
"""

import base64
import json
from collections import Counter, deque
from dataclasses import dataclass

from berth import events
from berth.adapters.outbox import PublishedOutbox, Topics, Writing
from berth.app.collecting import Collecting
from berth.app.on_customer_event import OnCustomerEvent
from berth.app.on_upload import OnUpload
from berth.app.reconcile_fleet import ReconcileFleet
from berth.app.reconcile_shard import ReconcileShard
from berth.app.weighing import Scales
from berth.domain import documents
from berth.domain.documents import Template
from berth.domain.errors import Retryable, Terminal
from berth.domain.fleet import FirstShards
from berth.domain.footprint import Footprint
from berth.domain.workload import Buckets
from tests.simulation import streams
from tests.simulation.clusters import Cluster
from tests.simulation.kernel import Kernel, KernelClock, Process, ProcessClock, Slots
from tests.simulation.priced import (
    LISTS,
    READS,
    Costs,
    Port,
    ProcessProbe,
    ProcessPublisher,
    ProcessServers,
)
from tests.simulation.servers import Servers
from tests.simulation.stores import IndexedBuckets
from tests.support import world_wiring
from tests.support.world_parts import FILES, MANIFESTS, MOUNT

# Calls at a time, by topic, and probes at a time: functions.yaml.
PLACES = {"uploaded": 800, "customers": 400, "admissions": 160, "shards": 320, "ticks": 1}
PROBES = 40
BACKOFF = (1.0, 10.0)


@dataclass(slots=True)
class Message:
    """One message on its way."""

    topic: str
    data: bytes
    name: str
    attempts: int = 0


class Fleet:
    """Everything; `announced` are the outcomes published: (seconds, kind, servable, version)."""

    def __init__(self, first: FirstShards, costs: Costs | None = None):
        self.kernel, self.first, self.costs = Kernel(), first, costs or Costs()
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
        processors = self.costs.processors
        self.processors = Slots(processors) if processors else None
        self.probes = self.processors or Slots(PROBES)
        self.probe_seconds = 0.0
        self.free = dict(PLACES)
        self.waiting: dict[str, deque[Message]] = {topic: deque() for topic in PLACES}
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
            ProcessPublisher(process, self),
            Topics("events", "admissions", "shards"),
            Writing(events.encode, events.encode_request, events.encode_shard),
            clock,
        )
        if topic == "uploaded":
            return events.uploaded, OnUpload("uploads", uploads, control, outbox)
        if topic == "customers":
            return events.customer_event, OnCustomerEvent(uploads, control, outbox, clock)
        if topic == "admissions":
            stores = world_wiring.Stores(uploads, models, control)
            probe = ProcessProbe(process, self)
            return events.admission_request, world_wiring.admit_model(stores, probe, outbox, clock)
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

    def _price(self, kind: str) -> float:
        if kind in READS:
            return self.costs.read
        return self.costs.listing if kind in LISTS else self.costs.write


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
