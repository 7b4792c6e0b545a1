"""Log lines that the real use cases write through the real edge, as Cloud Logging would store them,
and what its filters and extractors make of them."""

import contextlib
import io
import json
import re
from datetime import timedelta

import structlog

from berth import edge, telemetry
from berth.domain import restarts
from berth.domain.documents import Shard
from berth.domain.errors import Unavailable
from tests.support.world import World

FUNCTIONS = {
    "uploaded": "on_upload",
    "customers": "on_customer_event",
    "admissions": "admit_model",
    "shards": "reconcile_shard",
    "ticks": "reconcile_fleet",
}

CONDITION = re.compile(r'([A-Za-z_.]+)(=~|=)"([^"]*)"')
EXTRACTOR = re.compile(r'(?:EXTRACT\(([A-Za-z_.]+)\)|REGEXP_EXTRACT\(([A-Za-z_.]+), "([^"]+)"\))')


class LoggedWorld(World):
    """A world whose messages are delivered through `edge.run`, as the functions are called."""

    def deliver(self, delivery):
        """Deliver once; what the edge raises comes again."""
        parse, handler = self.functions[delivery.topic]
        try:
            edge.run(
                FUNCTIONS[delivery.topic],
                self.event(delivery),
                parse=parse,
                handler=lambda: handler,
            )
        except Exception:  # noqa: BLE001 - the platform's side of the edge
            self.revive()
            self.clock.sleep(1)
            self.queue.append(delivery)


class Broken:
    """A handler with a bug."""

    def handle(self, request):
        raise ZeroDivisionError("a bug")


@contextlib.contextmanager
def _captured():
    out = io.StringIO()
    telemetry.configure.cache_clear()
    with contextlib.redirect_stdout(out):
        yield out
    telemetry.configure.cache_clear()
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def entry(line, service):
    """A line as a LogEntry: Cloud Run takes `severity` and `time` out of the payload.

    https://cloud.google.com/logging/docs/structured-logging
    """
    payload = json.loads(line)
    severity = payload.pop("severity")
    payload.pop("time")
    return {
        "resource": {"type": "cloud_run_revision", "labels": {"service_name": service}},
        "severity": severity,
        "jsonPayload": payload,
    }


def story():
    """Every kind of line once at least: a story with an upload, a death, a silence and bad input."""
    with _captured() as out:
        world = LoggedWorld()
        world.fleet_tick()
        world.sign_up()
        world.fleet_tick()
        world.tick(3)
        world.fleet_tick()
        silent = {address for address in world.servers._servers}
        world.servers.unreachable = silent
        world.workloads.figures.served = False
        world.uploads.before = _no_answers
        world.control.before = _reserved_once()
        world.upload("acme/digits/1")
        world.send("shards", b'{"shard": "shard-0"}')
        world.send("customers", b"no JSON")
        _run(world, 40)
        _late(world)
        _damaged(world)
        world.servers.unreachable = set()
        world.revive()
        _full(world)
        world.control.before = _gone
        world.fleet_tick()
        _edges(world)
    return [entry(line, "berth-any") for line in out.getvalue().splitlines()]


def _late(world):
    """The silent servers are given up one by one, and a restart does not come back."""
    world.clock.advance(600)
    world.send("shards", b'{"shard": "shard-0"}')
    _run(world, 4)
    shape = world.read("shards/shard-0/shard.json", Shard)
    ordered = restarts.ordered(shape, world.clock.now() - timedelta(hours=1))
    world.control.put("shards/shard-0/shard.json", ordered.encode(), if_generation=None)
    world.workloads.set_ready(world.workloads.pods("shard-0")[0].name, False)
    world.send("shards", b'{"shard": "shard-0"}')
    _run(world, 4)
    world.send("ticks", b"{}")
    _run(world, 4)


def _damaged(world):
    """An account that does not parse is come upon by a sweep."""
    world.control.put("customers/damaged.json", b"{", if_generation=None)
    world.send("ticks", b'{"sweep": true}')
    _run(world, 4)


def _full(world):
    """The only shard that is allowed has no room left."""
    shape = world.read("shards/shard-0/shard.json", Shard).model_copy(update={"max_models": 1})
    world.control.put("shards/shard-0/shard.json", shape.encode(), if_generation=None)
    world.send("ticks", b"{}")
    _run(world, 4)


def _no_answers(kind, name):
    if name.endswith(".status.json"):
        raise Unavailable(f"{kind} {name}: induced")


def _reserved_once():
    """A ledger that can be written once, to reserve, and not again."""
    written = []

    def check(kind, name):
        if kind == "put" and name.startswith("ledgers/"):
            written.append(name)
            if len(written) > 1:
                _gone(kind, name)

    return check


def _gone(kind, name):
    raise Unavailable(f"{kind} {name}: induced")


def _run(world, most):
    for _ in range(most):
        world._collect()
        if not world.queue:
            return
        world.deliver(world.queue.popleft())


def _edges(world):
    world.send("ticks", b"{}")
    event = world.event(world.queue.pop())
    with contextlib.suppress(ZeroDivisionError):
        edge.run("reconcile_fleet", event, parse=lambda given: given, handler=Broken)
    world.control.before = _gone
    assert edge.answer("status", world.status.fleet)[1] == 503


def field(entry, path):
    """A field of a log entry, or None."""
    for key in path.split("."):
        entry = entry.get(key) if isinstance(entry, dict) else None
    return entry


def matches(entry, filter_text):
    """Evaluate the part of Cloud Logging's query language that our filters use, and no other."""
    answers = []
    for condition in filter_text.split(" AND "):
        path, operator, wanted = CONDITION.fullmatch(condition).groups()
        value = str(field(entry, path) or "")
        answers.append(re.search(wanted, value) if operator == "=~" else value == wanted)
    return all(answers)


def extracted(entry, extractor):
    """The value of a label or of a distribution."""
    plain, path, pattern = EXTRACTOR.fullmatch(extractor).groups()
    if plain:
        return field(entry, plain)
    found = re.search(pattern, str(field(entry, path)))
    return found and found[1]
