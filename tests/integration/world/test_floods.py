"""One customer floods, another uploads one model: what the other waits behind, counted in deliveries,
probes and calls. The scheduler is the worst: all of the flood goes first, and no probe ever ends.
"""

from collections import Counter
from dataclasses import replace

import pytest

from berth.domain import quotas
from tests.reliability import stories
from tests.reliability.fleet import Fleet
from tests.reliability.speed import fast
from tests.reliability.together import Together
from tests.support.world import FILES

FLOOD = 200
# functions.yaml: instances of probe_model, and deliveries of admit_model at a time.
PROBES, PLACES = 40, 160


class Stuck(Together):
    """Deliveries at the same time, the first first; nobody comes back from a probe before all others wait."""

    def __init__(self, fleet, deliveries):
        self.at: dict[int, str] = {}
        self.probing: tuple[int, ...] = ()
        super().__init__(fleet, deliveries, self._next)

    def _next(self, _) -> int:
        alive = [number for number, turn in enumerate(self._turns) if turn is not None]
        for index, number in enumerate(alive):
            if self.at.get(number) != "probe":
                return index
        if not self.probing:
            self.probing = tuple(alive)
        return 0

    def _pause(self, kind, name):
        self.at[self._mine.number] = kind
        super()._pause(kind, name)


def two_customers(plan) -> Fleet:
    fleet = Fleet()
    fleet.say("signed_up", plan=plan)
    fleet.say("signed_up", customer="other", plan="free")
    return fleet.tell(stories.Story("two sign-ups", lambda: fleet, ()))


def requests(fleet):
    """The admissions that the uploads so far ask for, each once."""
    fleet._collect()
    while any(message.topic == "uploaded" for message in fleet.queue):
        fleet.deliver(fleet.queue.popleft())
        fleet._collect()
    found = {message.data: message for message in fleet.queue if message.topic == "admissions"}
    fleet.queue.clear()
    return list(found.values())


def flooded(plan):
    """All of a flood, and after it one upload of another customer, judged at the same time."""
    fleet = two_customers(plan)
    for number in range(FLOOD):
        fleet.upload(f"acme/m{number}/1")
    first = requests(fleet)
    fleet.upload("other/digits/1")
    last = requests(fleet)
    assert (len(first), len(last)) == (FLOOD, 1)
    before = fleet.clock.now()
    together = Stuck(fleet, [*first, *last])
    together.run()
    waited = (fleet.clock.now() - before).total_seconds()
    return fleet, together.probing, waited


@pytest.mark.parametrize("plan", ["free", "standard", "enterprise"])
def test_the_other_customer_is_probed_while_all_of_the_flood_still_waits(plan):
    with fast():
        fleet, probing, waited = flooded(plan)
    bound = quotas.quota(plan).at_once
    assert len(probing) == bound + 1, "the flood's share of the probes, and the other's"
    assert FLOOD in probing, "the other's is among them"
    assert bound * 5 <= PROBES
    assert waited == 0, "no delivery of the flood held its place for a time"
    assert fleet.answer("other/digits/1.status.json")["state"] == "ADMITTED"


def test_without_the_bound_the_flood_has_every_probe_and_every_place(monkeypatch):
    plan = replace(quotas.PLANS["enterprise"], at_once=FLOOD)
    monkeypatch.setitem(quotas.PLANS, "enterprise", plan)
    with fast():
        _, probing, _ = flooded("enterprise")
    assert len(probing) - 1 > PLACES > PROBES


def junk(fleet, number):
    fleet.put(f"acme/Not A Model/{number}/x", b"junk")


def incomplete(fleet, number):
    fleet.put(f"acme/half/{number}/saved_model.pb", b"graph")


def refused(fleet, number):
    fleet.upload(f"acme/digits/{number}", files={**FILES, "saved_model.pb": b"bad graph"})


def again(fleet, number):
    fleet.put("acme/digits/1/saved_model.pb", b"bad %d" % number)


def wishes(fleet, number):
    fleet.put("acme/digits/serving.yaml", b"keep: [%d" % number)


def upload_of_other(fleet):
    """Upload and judge the other customer's model; return the calls of every port meanwhile."""
    ports = [port for port in fleet.ports if port is not fleet.clock]
    before = [Counter(port.calls) for port in ports]
    fleet.upload("other/digits/1")
    for delivery in requests(fleet):
        fleet.deliver(delivery)
    assert fleet.answer("other/digits/1.status.json")["state"] == "ADMITTED"
    return [Counter(port.calls) - old for port, old in zip(ports, before, strict=True)]


@pytest.mark.parametrize("kind", [junk, incomplete, refused, again, wishes])
def test_a_flood_adds_no_call_to_what_another_customers_upload_costs(kind):
    with fast():
        calm, wild = two_customers("standard"), two_customers("standard")
        for number in range(1, 60):
            kind(wild, number)
        wild.run()
        assert wild.handled["admissions"] - calm.handled["admissions"] > 20, "it was a flood"
        assert upload_of_other(wild) == upload_of_other(calm)
