"""One fault at one call of one delivery: how it is induced, and which calls it can befall."""

import copy
from dataclasses import dataclass, replace

from berth.domain.errors import Conflict, Unavailable
from tests.support.world import Crash

EFFECTS = frozenset(
    {
        "put",
        "copy_from",
        "delete",
        "publish",
        "publish_all",
        "apply",
        "delete_pod",
        "reload",
        "sleep",
    }
)
# Longer than the lease of the function that is stalled, shorter than its time-out in functions.yaml.
STALLS = {"uploaded": 30, "customers": 60, "admissions": 300, "shards": 50, "ticks": 150}
KINDS = {
    "killed before": "the process is gone before the call",
    "killed after": "the process is gone when the call has had its effect",
    "refused": "the call fails, nothing happened",
    "timed out": "the call fails, its effect happened",
    "told Conflict": "a conditional write happened, and its repetition is told that it lost",
    "overtaken": "the same cause, delivered twice, is handled from its beginning to its end meanwhile",
    "crossed": "a tick with its sweep is handled meanwhile",
    "stalled": "the process stands still beyond its lease, and the same cause is handled meanwhile",
}


@dataclass(frozen=True)
class Call:
    """One call of a port, as the undisturbed delivery makes it."""

    number: int
    port: str
    kind: str
    name: str
    conditional: bool = False
    refused: bool = False

    @property
    def effect(self) -> bool:
        return self.kind in EFFECTS and not self.refused


@dataclass(frozen=True)
class Fault:
    """A kind of failure at a call, counted from 1."""

    kind: str
    call: Call


def recorded(fleet, delivery):
    """Deliver, and return the calls that were made."""
    calls, ended = [], set()

    def watch(name, port):
        def before(kind, of):
            conditional = name == "control" and kind == "put"
            calls.append(Call(len(calls) + 1, name, kind, of, conditional))

        port.before, port.after = before, lambda kind, of: ended.add(len(calls))

    for name, port in fleet.named_ports().items():
        watch(name, port)
    fleet.deliver(delivery)
    fleet.revive()
    return [call if call.number in ended else replace(call, refused=True) for call in calls]


def possible(calls):
    """Return the faults to try, and how many points they stand for.

    A process that is killed leaves what it did to the outside: between two effects, every point is the
    same. A read that fails late is a read that fails. So these are tried once, and counted as many.
    """
    faults, points = [], 0
    repeated = {}
    effects = 0
    for call in calls:
        points += (
            2
            + (2 if call.effect else 1)
            + 2
            + int(call.effect)
            + int(call.conditional and call.effect)
        )
        effects += call.effect and call.kind != "sleep"
        look = (call.kind, call.name, effects)
        repeated[look] = repeated.get(look, 0) + 1
        if repeated[look] > 2:
            continue  # the same look again while nothing was done
        if call.number == 1:
            faults.append(Fault("killed before", call))
        faults += [Fault(kind, call) for kind in ("refused", "overtaken", "crossed")]
        if call.effect:
            faults += [Fault(kind, call) for kind in ("killed after", "timed out", "stalled")]
        if call.conditional and call.effect:
            faults.append(Fault("told Conflict", call))
    return faults, points


class Induced:
    """Makes a fleet's next delivery suffer one fault."""

    def __init__(self, fleet, delivery, fault):
        self.fleet = fleet
        self.fault = fault
        self.twin = copy.deepcopy(delivery)
        self.twin.message += "-again"
        self.made = 0
        self.dead = False
        self.happened = False
        self.aside = False

    def deliver(self, delivery):
        """Deliver under the fault; say whether it happened."""
        self.fleet.fail(self.before, self.after)
        self.fleet.deliver(delivery)
        self.fleet.revive()
        return self.happened

    def before(self, kind, name):
        if self.aside:
            return
        if self.dead:
            raise Crash(f"{kind} {name}")
        self.made += 1
        if self.made != self.fault.call.number:
            return
        if self.fault.kind == "killed before":
            self.dead = self.happened = True
            raise Crash(f"before {kind} {name}")
        if self.fault.kind == "refused":
            self.happened = True
            raise Unavailable(f"induced before {kind} {name}")
        if self.fault.kind in ("overtaken", "crossed", "stalled"):
            self.happened = True
            self._rival()

    def after(self, kind, name):
        if self.aside or self.happened or self.made != self.fault.call.number:
            return
        if self.fault.kind == "killed after":
            self.dead = self.happened = True
            raise Crash(f"after {kind} {name}")
        if self.fault.kind == "timed out":
            self.happened = True
            raise Unavailable(f"induced after {kind} {name}")
        if self.fault.kind == "told Conflict":
            self.happened = True
            raise Conflict(f"induced after {kind} {name}")

    def _rival(self):
        """Let another delivery be handled from its beginning to its end."""
        self.aside = True
        fleet, twin = self.fleet, self.twin
        if self.fault.kind == "stalled":
            fleet.pass_time(STALLS[twin.topic])
        if self.fault.kind == "crossed":
            fleet.send_tick(sweep=True)
            twin = fleet.queue.pop()
        fleet.deliver(twin)
        self.aside = False
