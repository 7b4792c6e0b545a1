"""A router's sidecar: what reaches Envoy in which order, and what stays as it was when nothing can be read."""

import pytest

from berth.adapters.clock import SystemClock
from berth.adapters.memory_envoy import MemoryEnvoy, MemoryReplicas
from berth.adapters.memory_objects import MemoryBuckets, MemoryObjectStore
from berth.app.route_fleet import RouteFleet
from berth.domain import door
from berth.domain.errors import Unavailable
from berth.domain.routing import ModelRoute, ShardRoutes

SITE = door.Site("/run/door", "10.0.0.9", 8080, "/run/admin/sock", 9902, "-- the filter")
ONE, TWO = {"s-1": ("10.0.0.1",)}, {"s-1": ("10.0.0.1",), "s-2": ("10.0.0.2",)}


class Sidecar:
    """A sidecar over the twins, and what was done to its files, in order."""

    def __init__(self):
        self.control = MemoryObjectStore(MemoryBuckets(SystemClock()), "control")
        self.replicas, self.envoy = MemoryReplicas(), MemoryEnvoy()
        self.replicas.addresses = dict(ONE)
        self.done = []
        self.envoy.before = self._note
        self.again()

    def again(self):
        """As after its process's end."""
        self.routing = RouteFleet(self.control, self.replicas, self.envoy, SITE, 1024)

    def _note(self, kind, name):
        if kind in ("write", "remove"):
            self.done.append((kind, name))

    def store(self, shard, **models):
        named = {name.replace("__", "."): route for name, route in models.items()}
        name = f"routes/{shard}.json"
        self.control.put(name, ShardRoutes(shard=shard, models=named).encode(), if_generation=None)

    def round(self):
        self.done.clear()
        count = self.routing.round()
        assert count == len(self.done)
        return list(self.done)

    def clusters(self):
        return door.known(self.envoy.stored["cds.json"])

    def shard(self, model):
        text = self.envoy.stored.get(f"models/{model}")
        return text and text.decode().splitlines()[0].removeprefix("shard ")


def serving(*versions, **more):
    return ModelRoute(versions=versions, default=versions[-1], **more)


@pytest.fixture
def sidecar():
    made = Sidecar()
    made.store("s-1", a__b=serving(1))
    made.round()
    return made


def test_the_first_round_writes_all_and_the_bootstrap_last(sidecar):
    made = Sidecar()
    made.store("s-1", a__b=serving(1))
    names = [name for _, name in made.round()]
    assert names == [
        "cds.json",
        "lds.json",
        "models/a.b",
        "customers/a",
        "bootstrap.json",
    ]


def test_a_second_round_writes_nothing_and_asks_envoy_nothing(sidecar):
    sidecar.envoy.calls.clear()
    assert sidecar.round() == []
    assert not sidecar.envoy.calls
    assert sidecar.control.calls["get"] == 1


def test_a_sidecar_that_starts_again_writes_nothing_anew(sidecar):
    sidecar.again()
    assert sidecar.round() == []


def test_a_change_costs_the_model_it_concerns(sidecar):
    sidecar.store("s-1", a__b=serving(1), a__c=serving(5))
    assert sidecar.round() == [("write", "models/a.c")]
    sidecar.store("s-1", a__c=serving(5))
    assert sidecar.round() == [("remove", "models/a.b")]


def test_a_replica_that_comes_or_goes_changes_its_endpoints_alone(sidecar):
    sidecar.replicas.addresses = {"s-1": ("10.0.0.1", "10.0.0.3")}
    assert sidecar.round() == [("write", "cds.json")]


def test_a_new_shard_is_known_to_envoy_before_a_model_is_sent_there(sidecar):
    sidecar.replicas.addresses = dict(TWO)
    sidecar.envoy.warming = {"s-2"}
    sidecar.store("s-1", a__b=ModelRoute(), a__c=serving(1))
    sidecar.store("s-2", a__b=serving(1), a__d=serving(1))
    sidecar.round()
    assert sidecar.shard("a.b") == "s-1"  # as it was
    assert sidecar.shard("a.d") is None
    assert sidecar.shard("a.c") == "s-1"  # what does not wait is not kept waiting
    sidecar.envoy.warming = set()
    assert [name for _, name in sidecar.round()] == ["models/a.b", "models/a.d"]
    assert sidecar.shard("a.b") == "s-2"


def test_a_shard_leaves_after_the_last_that_refers_to_it(sidecar):
    sidecar.replicas.addresses = dict(TWO)
    sidecar.store("s-2", a__b=serving(1, document=9))
    sidecar.round()
    assert sidecar.shard("a.b") == "s-2"
    sidecar.replicas.addresses = dict(ONE)
    sidecar.control.delete("routes/s-2.json")
    done = sidecar.round()
    assert done == [("write", "models/a.b"), ("write", "cds.json")]
    assert set(sidecar.clusters()) == {"s-1"}


def test_a_model_does_not_leave_a_shard_for_one_that_envoy_does_not_know(sidecar):
    """The old shard goes, the new one is warming: the old clusters stay for as long."""
    sidecar.replicas.addresses = {"s-2": ("10.0.0.2",)}
    sidecar.store("s-2", a__b=serving(1))
    sidecar.control.delete("routes/s-1.json")
    sidecar.envoy.warming = {"s-2"}
    sidecar.round()
    assert sidecar.shard("a.b") == "s-1"
    assert set(sidecar.clusters()) == {"s-1", "s-2"}
    assert "10.0.0.1" in str(sidecar.clusters()["s-1"])  # with its replicas as they were
    sidecar.envoy.warming = set()
    sidecar.round()
    assert sidecar.shard("a.b") == "s-2"
    assert set(sidecar.clusters()) == {"s-2"}


def test_an_envoy_that_does_not_run_is_not_waited_for(sidecar):
    sidecar.envoy.running = False
    sidecar.replicas.addresses = dict(TWO)
    sidecar.store("s-2", a__e=serving(1))
    sidecar.round()
    assert sidecar.shard("a.e") == "s-2"


def failing(kind, name=""):
    def fail(called, on):
        if called == kind and on.startswith(name):
            raise Unavailable("storage does not answer")

    return fail


@pytest.mark.parametrize("call", ["list", "get"])
def test_what_cannot_be_read_stays_as_it_was(sidecar, call):
    sidecar.store("s-1", a__x=serving(1))
    sidecar.control.before = failing(call)
    sidecar.replicas.addresses = {"s-1": ("10.0.0.7",)}
    done = sidecar.round()
    assert [name for _, name in done] == ["cds.json"]
    sidecar.control.before = None
    assert ("write", "models/a.x") in sidecar.round()


def test_a_damaged_document_stays_as_it_was_and_holds_up_no_other(sidecar):
    sidecar.store("s-2", a__y=serving(1))
    sidecar.control.put("routes/s-1.json", b"{", if_generation=None)
    sidecar.round()
    assert (sidecar.shard("a.b"), sidecar.shard("a.y")) == ("s-1", "s-2")


def test_a_fleet_that_is_gone_at_once_is_not_believed(sidecar):
    sidecar.control.delete("routes/s-1.json")
    assert sidecar.round() == []
    assert sidecar.shard("a.b") == "s-1"


@pytest.mark.parametrize("broken", ["list", "get", "pods", "damaged"])
def test_nothing_is_written_before_everything_was_read_once(broken):
    made = Sidecar()
    made.store("s-1", a__b=serving(1))
    if broken == "pods":
        made.replicas.addresses = None
    elif broken == "damaged":
        made.control.put("routes/s-1.json", b"{", if_generation=None)
    else:
        made.control.before = failing(broken)
    with pytest.raises(Unavailable):
        made.routing.round()
    assert made.done == []
