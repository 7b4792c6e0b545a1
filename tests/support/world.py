"""A whole Berth over the memory twins: what is published is delivered, until everything is quiet.

Each function sees the world as its identity may (tests/support/granted.py).
`World.run` delivers as Eventarc does: an error that may pass brings the same message again, later.
"""

import base64
import copy
import json
from collections import Counter, deque
from collections.abc import Mapping

from berth import events
from berth.adapters.memory import MemoryClock, MemoryProbe, MemoryPublisher
from berth.adapters.memory_objects import MemoryBuckets
from berth.adapters.memory_servers import MemoryModelServers, ServerRuntime
from berth.adapters.memory_workloads import MemoryWorkloads
from berth.adapters.outbox import PublishedOutbox, Topics, Writing
from berth.app.collecting import Collecting
from berth.app.on_customer_event import OnCustomerEvent
from berth.app.on_upload import OnUpload
from berth.app.reconcile_fleet import ReconcileFleet
from berth.app.reconcile_shard import ReconcileShard
from berth.app.weighing import Scales
from berth.domain.documents import Footprint, Policy, Template
from berth.domain.errors import Retryable, Terminal
from berth.domain.fleet import FirstShards
from berth.domain.outcome import Outcome
from berth.domain.probing import Measurements, ProbeReport
from berth.domain.workload import Buckets
from tests.support import world_wiring
from tests.support.granted import Identity
from tests.support.world_parts import (
    FILES,
    MANIFESTS,
    MAX_ATTEMPTS,
    MIB,
    MOUNT,
    SHARD_FILE,
    Crash,
    Delivery,
    Failures,
    Mount,
)
from tests.support.world_views import Views

__all__ = ["FILES", "MIB", "SHARD_FILE", "Crash", "World"]


class World(Views, Failures):
    """Buckets, clock, topics, cluster and servers, and every use case wired over them."""

    def __init__(
        self,
        *,
        shards=1,
        replicas=2,
        memory=2048 * MIB,
        max_models=200,
        load_ticks=1,
        max_shards=0,
    ):
        self.clock = MemoryClock()
        self.buckets = MemoryBuckets(self.clock)
        self.uploads, self.models, self.control = map(
            self.buckets.store, ("uploads", "models", "control")
        )
        self.publisher = MemoryPublisher()
        self.servers = MemoryModelServers(load_ticks=load_ticks)
        self.mount = Mount(self.buckets)
        self.servers.files = self.mount
        self.workloads = MemoryWorkloads(self.clock, ServerRuntime(self.servers, self.mount.boot))
        self.probe = MemoryProbe(self.judge)
        self.measured = Measurements(
            load_seconds=0.1,
            run_seconds=0.01,
            resident_bytes=10 * MIB,
            peak_bytes=12 * MIB,
            child_seconds=0.5,
        )
        most = max_shards or shards
        self.first = FirstShards(shards, replicas, replicas * 2, memory, max_models, most)
        self.queue: deque[Delivery] = deque()
        self.outcomes: list[tuple[str, Outcome]] = []
        self.refused: list[tuple[str, Terminal]] = []
        self.handled: Counter[str] = Counter()
        self.duplicates = 0
        self._uploads_seen = 0
        self._messages = 0
        self.clock.on_sleep.append(self._slept)
        self._wire()
        self.install_starter()

    def _wire(self) -> None:
        mine = Identity(self, "on_upload")
        self.on_upload = OnUpload(
            "uploads", mine.store("uploads"), mine.store("control"), self._outbox(mine)
        )
        mine = Identity(self, "on_customer_event")
        self.on_customer_event = OnCustomerEvent(
            mine.store("uploads"), mine.store("control"), self._outbox(mine), self.clock
        )
        mine = Identity(self, "admit_model")
        stores = world_wiring.Stores(*map(mine.store, ("uploads", "models", "control")))
        outbox = self._outbox(mine)
        self.admit_model = world_wiring.admit_model(stores, mine.probe, outbox, self.clock)
        mine = Identity(self, "reconcile_shard")
        self.reconcile_shard = ReconcileShard(
            control=mine.store("control"),
            workloads=self.workloads,
            servers=self.servers,
            outbox=self._outbox(mine),
            clock=self.clock,
            scales=Scales(self.workloads, self.clock),
            manifests=MANIFESTS,
            buckets=Buckets("berth", "models", "control"),
            mount=MOUNT,
        )
        mine = Identity(self, "reconcile_fleet")
        self.reconcile_fleet = ReconcileFleet(
            mine.store("uploads"),
            mine.store("control"),
            self._outbox(mine),
            self.clock,
            self.first,
            Collecting(mine.store("models"), mine.store("control"), self.clock),
        )
        store = Identity(self, "status").store("control")
        self.status = world_wiring.status(store, self.clock, self.first)
        self.functions = {
            "uploaded": (events.uploaded, self.on_upload),
            "customers": (events.customer_event, self.on_customer_event),
            "admissions": (events.admission_request, self.admit_model),
            "shards": (events.shard_request, self.reconcile_shard),
            "ticks": (events.fleet_tick, self.reconcile_fleet),
        }

    def _outbox(self, mine: Identity) -> PublishedOutbox:
        return PublishedOutbox(
            mine.publisher,
            Topics("events", "admissions", "shards"),
            Writing(events.encode, events.encode_request, events.encode_shard),
            self.clock,
        )

    def copy(self) -> "World":
        """A world of its own in the same state."""
        return copy.deepcopy(self)

    # What the outside does

    def install_starter(self) -> None:
        footprint = Footprint(resident_bytes=MIB, peak_bytes=MIB, load_seconds=0.1)
        template = Template(digest="starter", footprint=footprint)
        self.control.put("templates/starter.json", template.encode(), if_generation=None)
        self.models.put("templates/starter/1/saved_model.pb", b"starter", if_generation=None)

    def policy(self, **fields) -> None:
        self.control.put("fleet/policy.json", Policy(**fields).encode(), if_generation=None)

    def customer(self, kind: str, customer: str, at: int = 0, **fields) -> None:
        """Publish a customer event; `at` orders them, in minutes."""
        time = f"2026-01-01T00:{at:02}:00Z"
        payload = {"customer": customer, **fields}
        name = "model.deleted" if kind == "deleted" else f"customer.{kind}"
        body = {"specversion": "1.0", "type": name, "time": time, "data": payload}
        self.send("customers", json.dumps(body).encode())

    def sign_up(self, customer: str = "acme", plan: str = "standard", at: int = 0) -> None:
        self.customer("signed_up", customer, at, plan=plan)

    def put(self, name: str, data: bytes) -> None:
        """Upload one object; its event is on its way."""
        self.uploads.put(name, data, if_generation=None)
        self._collect()

    def upload(self, version: str, files: Mapping[str, bytes] = FILES, **renamed) -> None:
        for name, data in {**files, **renamed}.items():
            self.put(f"{version}/{name}", data)

    def judge(self, request) -> ProbeReport:
        """Judge by the bytes: files that are not all there, or a graph that says it is bad."""
        names = request.manifest.by_name()
        missing = tuple(sorted(set(FILES) - set(names)))
        if missing:
            return ProbeReport(state="INCOMPLETE", reason="files are missing", missing=missing)
        graph = self.buckets.objects["uploads"][request.prefix + "saved_model.pb"].data
        if graph.startswith(b"bad"):
            return ProbeReport(state="REJECTED", reason="the graph is bad")
        return ProbeReport(
            state="ACCEPTED", reason="", files=tuple(sorted(FILES)), measurements=self.measured
        )

    # Delivery

    def send(self, topic: str, data: bytes, message: str = "") -> None:
        self._messages += 1
        self.queue.append(Delivery(topic, data, message or f"m{self._messages}"))

    def run(self) -> None:
        """Deliver until nothing is on its way."""
        self._collect()
        while self.queue:
            self.deliver(self.queue.popleft())
            self._collect()

    def run_until(self, topic: str) -> Delivery:
        """Deliver until a message on a topic is due; take it off the queue."""
        self._collect()
        while not any(delivery.topic == topic for delivery in self.queue):
            self.deliver(self.queue.popleft())
            self._collect()
        found = next(delivery for delivery in self.queue if delivery.topic == topic)
        self.queue.remove(found)
        return found

    def deliver(self, delivery: Delivery) -> None:
        """Deliver once; what may be retried is queued again after a pause, in which the world moves."""
        parse, handler = self.functions[delivery.topic]
        self.handled[delivery.topic] += 1
        try:
            outcome = handler.handle(parse(self.event(delivery)))
        except Terminal as error:
            self.refused.append((delivery.topic, error))
        except (Retryable, Crash):
            delivery.attempts += 1
            if delivery.attempts > MAX_ATTEMPTS:
                raise
            self.revive()
            self.clock.sleep(min(60, 2**delivery.attempts))
            self.queue.append(delivery)
        else:
            self.outcomes.append((delivery.topic, outcome))

    def event(self, delivery: Delivery) -> events.CloudEvent:
        attributes = {"type": "test", "source": "test", "id": delivery.message}
        if delivery.topic == "uploaded":
            notified = {"message": {"attributes": json.loads(delivery.data)}}
            return events.CloudEvent(attributes, notified)
        message = {
            "data": base64.b64encode(delivery.data).decode(),
            "messageId": delivery.message,
            "publishTime": "2026-01-01T00:00:00Z",
        }
        return events.CloudEvent(attributes, {"message": message})

    def _collect(self) -> None:
        for topic in ("admissions", "shards"):
            for message in self.publisher.take(topic):
                for _ in range(1 + self.duplicates):
                    self.send(topic, message.data)
        written = self.uploads.writes[self._uploads_seen :]
        self._uploads_seen = len(self.uploads.writes)
        for name, generation in written:
            body = {"eventType": "OBJECT_FINALIZE", "bucketId": "uploads"}
            body |= {"objectId": name, "objectGeneration": str(generation)}
            self.send("uploaded", json.dumps(body).encode())

    def _slept(self, seconds: float) -> None:
        self.tick()

    def tick(self, times: int = 1) -> None:
        """Let the cluster and the servers move."""
        for _ in range(times):
            self.workloads.tick()
            self.servers.tick()

    def fleet_tick(self, *, sweep: bool = False) -> None:
        self.send("ticks", json.dumps({"sweep": sweep}).encode())
        self.run()

    def settle(self, rounds: int = 40) -> "World":
        """Ticks of the fleet and of the world, until two ticks in a row change nothing."""
        quiet = 0
        for _ in range(rounds):
            before = len(self.outcomes)
            self.fleet_tick()
            self.tick(3)
            self.clock.advance(5)
            words = {o.word for t, o in self.outcomes[before:]}
            quiet = quiet + 1 if words == {"converged"} else 0
            if quiet == 2:
                return self
        raise AssertionError(f"not settled: {self.outcomes[-6:]}")
