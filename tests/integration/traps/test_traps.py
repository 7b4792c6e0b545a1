"""Each trap of TensorFlow Serving, and that Berth does not fall in.

Every trap is met twice: as Berth is, and with the guard taken out (`careless`), where the promise
must break: so the twin has the trap, and the test can fail. docs/reliability.md lists them.
"""

from dataclasses import replace
from datetime import timedelta

import pytest

from berth.app.promotion import Promotion
from berth.domain import names, plan, quarantines, rollout, serving_config
from berth.domain.observation import Observation, VersionStatus
from tests.unit.berth.app import worlds

DIGITS = "/models/acme/digits"
BROKEN = VersionStatus("END", 3, "it does not load")


@pytest.fixture
def careless(request, monkeypatch):
    """Takes a guard out, where the test is run without it; says whether it did."""

    def without(owner, name, instead) -> bool:
        if request.param:
            monkeypatch.setattr(owner, name, instead)
        return request.param

    return without


both = pytest.mark.parametrize(
    "careless", [False, True], ids=["careful", "careless"], indirect=True
)


def announced(world, servable="acme.digits"):
    record = world.shard_status().models.get(servable)
    return record.announced if record else ()


def pods(world):
    return world.workloads.pods("shard-0")


def minutes(world, number):
    """Let time pass, with the ticks that it brings; a shard that finds no peace is not waited for."""
    for _ in range(number):
        world.send("ticks", b"{}")
        for _ in range(12):
            world._collect()
            if world.queue:
                world.deliver(world.queue.popleft())
        world.tick(3)
        world.clock.advance(20)


@both
def test_a_missing_path_aborting_the_sweep(careless):
    """One listed path that is not there, and the server finds no version of any model any more."""
    world = worlds.signed_up()
    taken = careless(Promotion, "promote", lambda self, version, files, *, resumed: None)
    world.upload("acme/digits/1")
    minutes(world, 2)
    world.upload("acme/other/1")
    minutes(world, 2)
    named = [
        (entry.base_path, number)
        for _, text in world.servers.reloads
        for entry in serving_config.parse(text).values()
        for number in entry.versions
    ]
    there = all(number in world.mount.get(path) for path, number in named)
    assert len(named) > 2
    assert there != taken
    assert (announced(world, "acme.other") == (1,)) != taken


@both
def test_an_end_that_was_there_before(careless):
    """What a version said when it failed is said until the next sweep after it came back."""
    world = worlds.serving()
    taken = careless(quarantines, "END_GRACE", timedelta(0))
    world.mount.broken[DIGITS, 2] = VersionStatus("END", 14, "storage hiccup")

    def heal(kind, name):
        if kind == "put" and world.said("model.quarantined"):
            world.mount.broken.clear()

    world.control.before = heal
    world.upload("acme/digits/2")
    minutes(world, 6)
    failures = len(world.said("model.quarantined"))
    assert (failures == 1) != taken
    assert announced(world) == (2,) or taken


@both
def test_an_empty_aspired_set_unloads(careless):
    """A version asked for alone, where a mount does not show it yet, takes the one that serves."""

    def alone(*given, **named):
        made = step(*given, **named)
        live = made.live and replace(made.live, versions=made.live.versions[-1:])
        return replace(made, live=live)

    world, step = worlds.serving(), rollout.step
    late = pods(world)[1]
    taken = careless(rollout, "step", alone)
    world.servers.hidden_on.add((late.address, DIGITS, 2))
    world.upload("acme/digits/2")
    minutes(world, 2)
    assert announced(world) == (1,) or taken
    there = late.uid in {pod.uid for pod in pods(world)}
    assert (there and world.loaded_on(late, "acme.digits") == {1}) != taken
    world.servers.hidden_on.clear()
    minutes(world, 3)
    assert announced(world) == (2,)


@both
def test_removed_and_added_again_before_its_end(careless):
    """A name that comes back while its unloading has not begun is never seen to change: the reload
    that adds it does not end, and nor does any after it."""
    world = worlds.serving()
    taken = careless(rollout, "leaving", lambda name, seen: False)
    busy = pods(world)[0]
    world.servers.keep_busy(busy.address, True)
    world.customer("closed", "acme", at=1)
    minutes(world, 2)
    assert "acme.digits" not in serving_config.parse(world.servers.reloads[-1][1])
    world.sign_up(at=2)
    world.deliver(world.run_until("shards"))
    world.servers.keep_busy(busy.address, False)
    world.tick(5)
    assert bool(world.servers.outstanding(busy.address)) == taken
    minutes(world, 3)
    assert (busy.uid in {pod.uid for pod in pods(world)}) or taken
    assert announced(world) == (1,) or taken


@both
def test_the_same_number_from_another_path(careless):
    """A number that is loaded is not loaded again when its base path changes: the starter's name,
    served from its template, takes no upload."""
    world = worlds.signed_up()
    taken = careless(names, "_uploadable", lambda name: name)
    for number in (1, 2):
        world.upload(f"acme/starter/{number}")
    minutes(world, 3)
    states = {world.answer(f"acme/starter/{number}.status.json")["state"] for number in (1, 2)}
    assert states == ({"ADMITTED"} if taken else {"REJECTED"})
    assert world.loaded("shard-0", "acme.starter") == {1}
    assert (world.shard_status().models["acme.starter"].state == "SERVING") != taken


@both
def test_an_identical_reload_returning_ok(careless):
    """The reload that adds a broken model says so once; the same again says OK."""
    world = worlds.signed_up()
    taken = careless(rollout, "_everywhere", lambda name, wanted, seen: True)
    world.mount.broken[DIGITS, 1] = BROKEN
    text = serving_config.render({"acme.digits": serving_config.entry(DIGITS, [1])})
    world.upload("acme/digits/1")
    minutes(world, 3)
    first = pods(world)[0].address
    said = [world.servers.reload(first, text, timeout=5) for _ in range(2)]
    assert said[1] == ""
    assert (announced(world) == ()) != taken
    assert ("model.serving", "acme.digits", 1) not in world.said() or taken
    assert taken or ("model.quarantined", "acme.digits", 1) in world.said()


@both
def test_a_client_deadline_leaving_the_reload_running(careless):
    """A reload whose caller gave up is applied all the same: nothing else is sent until it ended."""
    world = worlds.serving()
    taken = careless(Observation, "informed", lambda self, pod: True)
    for server in world.servers._servers.values():
        server.load_ticks = 30_000
    mixed = []

    def watch(kind, address):
        if kind == "reload":
            waiting = world.servers.outstanding(address)
            mixed.append(len(set(waiting)) > 1)

    world.servers.before = watch
    world.upload("acme/slow/1")
    world.deliver(world.run_until("shards"))
    assert world.servers.outstanding(pods(world)[0].address)
    world.upload("acme/other/1")
    minutes(world, 1)
    world.servers.before = None
    waiting = [set(world.servers.outstanding(pod.address)) for pod in pods(world)]
    assert len(mixed) > 1
    assert (any(mixed) or any(len(one) > 1 for one in waiting)) == taken


@both
def test_a_wedged_reload_mutex(careless):
    """A server whose reload never ends serves on and learns nothing: it is replaced, not the shard."""
    world = worlds.serving()
    taken = careless(plan, "PUSH_PATIENCE", timedelta(days=1))
    wedged, well = pods(world)
    world.servers.wedge(wedged.address)
    world.upload("acme/digits/2")
    minutes(world, 7)
    uids = {pod.uid for pod in pods(world)}
    assert (wedged.uid not in uids) != taken
    assert well.uid in uids
    assert (announced(world) == (2,)) != taken


@both
def test_a_broken_model_in_the_boot_config(careless):
    """One listed model that ends in error, and the server does not start at all."""

    def hasty(*given, **named):
        made = step(*given, **named)
        return replace(made, boot=made.live)

    world, step = worlds.serving(), rollout.step
    taken = careless(rollout, "step", hasty)
    world.mount.broken[DIGITS, 2] = BROKEN
    world.upload("acme/digits/2")
    down = []

    def restarted(kind, name):
        if kind == "reload" and not down:
            down.append(name)
            for pod in pods(world):
                world.workloads.restart(pod.name, code=137)
            world.tick(12)
            down.append(any(pod.exit and pod.exit.code == 255 for pod in pods(world)))

    world.servers.after = restarted
    minutes(world, 1)
    world.servers.after = None
    assert down[1] == taken
