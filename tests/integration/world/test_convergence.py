"""Any order, any duplicate, a death at any call: the same state in the end."""

import functools
import itertools
import random

import pytest

from berth.domain.errors import Conflict, Denied, Throttled, Unavailable
from tests.support.world import FILES, SHARD_FILE, Crash, World

NAMES = list(FILES)


def facts(world):
    """What must be the same in the end, however it came about: no times, no generations."""
    control = world.buckets.objects["control"]
    models = {}
    for name in control:
        if name.startswith("models/"):
            model = world.model(name.removeprefix("models/").removesuffix(".json"))
            models[name] = (
                model.wants.keep,
                model.wants.pin,
                model.wants.closed,
                model.present,
                {n: v.digest for n, v in model.versions.items()},
                model.shard,
            )
    admissions = {
        name: (a.verdict.state, a.verdict.reason, a.verdict.refused, a.lease.holder, a.promoted)
        for name in control
        if name.startswith("admissions/")
        for a in [world.admission(*_parts(name))]
    }
    records = {n: (r.state, r.announced) for n, r in world.shard_status().models.items()}
    return {
        "models": models,
        "admissions": admissions,
        "shard": records,
        "boot": world.boot("shard-0"),
        "bytes": sorted(world.buckets.objects["models"]),
        "said": sorted(set(world.said()), key=str),
        "answers": sorted(n for n in world.buckets.objects["uploads"] if n.endswith("status.json")),
    }


def _parts(name):
    _, servable, number = name.removesuffix(".json").split("/")
    return servable, int(number)


@functools.cache
def signed_up():
    world = World().settle()
    world.sign_up()
    return world.settle()


@pytest.fixture(scope="module")
def wanted():
    world = signed_up().copy()
    world.upload("acme/digits/1")
    return facts(world.settle())


@pytest.mark.parametrize("order", list(itertools.permutations(NAMES)))
def test_the_files_of_an_upload_come_in_any_order(order, wanted):
    world = signed_up().copy()
    for name in order:
        world.put(f"acme/digits/1/{name}", FILES[name])
        world.run()
    ended = facts(world.settle())
    incomplete = ("model.incomplete", "acme.digits", 1)
    assert [s for s in ended.pop("said") if s != incomplete] == wanted["said"]
    assert ended == {k: v for k, v in wanted.items() if k != "said"}
    assert [p.state for p in [world.admission("acme.digits", 1).verdict]] == ["ADMITTED"]


@pytest.mark.parametrize("seed", range(6))
def test_events_come_reordered_and_more_than_once(seed, wanted):
    world = World().settle()
    world.duplicates = 1
    world.sign_up()
    world.upload("acme/digits/1")
    chance = random.Random(seed)
    twice = [*world.queue, *world.queue]
    chance.shuffle(twice)
    world.queue.clear()
    world.queue.extend(twice)
    assert facts(world.settle()) == wanted
    assert len(world.probe.requests) == 1


def crashing(world, topic, number):
    """Let the first delivery on a topic die at its n-th call; say whether it did."""
    world.crash_at(number)
    delivery = next(d for d in world.queue if d.topic == topic)
    world.queue.remove(delivery)
    before = delivery.attempts
    world.deliver(delivery)
    world.revive()
    return delivery.attempts > before


def until(world, topic):
    """Deliver until a message on a topic is next."""
    world._collect()
    while world.queue and not any(d.topic == topic for d in world.queue):
        world.deliver(world.queue.popleft())
        world._collect()


def start(topic):
    """A world in which the next message on a topic is the one that matters."""
    return started(topic).copy()


@functools.cache
def started(topic):
    world = World().settle()
    if topic != "customers":
        world.sign_up()
        world.settle()
        world.upload("acme/digits/1")
    else:
        world.sign_up()
        world.upload("acme/digits/1")
    until(world, topic)
    return world


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize("topic", ["customers", "uploaded", "admissions", "shards"])
def test_a_death_at_any_call_is_made_good_by_the_next_delivery(topic, fresh, wanted):
    died = 0
    for number in range(1, 400, 4 if fresh else 1):
        world = start(topic)
        if not crashing(world, topic, number):
            break
        died += 1
        if fresh:  # the same cause told by another message, when the dead one's lease is over
            world.clock.advance(400)
            delivery = next(d for d in world.queue if d.attempts)
            delivery.message = "another"
        assert facts(world.settle()) == wanted, f"died at call {number}"
        assert world.said("model.rejected") == []
    assert died >= (1 if fresh else 3)


@pytest.mark.parametrize("error", [Unavailable, Conflict, Denied, Throttled])
@pytest.mark.parametrize("topic", ["customers", "uploaded", "admissions", "shards"])
def test_one_failed_call_is_no_verdict(topic, error, wanted):
    for number in range(1, 30, 7):
        world = start(topic)
        left = [number]

        def check(kind, name, left=left):
            left[0] -= 1
            if left[0] == 0:
                raise error("induced")

        world.fail(check)
        delivery = next(d for d in world.queue if d.topic == topic)
        world.queue.remove(delivery)
        world.deliver(delivery)
        world.revive()
        ended = facts(world.settle())
        assert set(ended["said"]) >= set(wanted["said"])
        assert {k: v for k, v in ended.items() if k not in ("said", "answers")} == {
            k: v for k, v in wanted.items() if k not in ("said", "answers")
        }


def test_a_crash_is_no_error_of_ours():
    assert not issubclass(Crash, (Unavailable, Conflict))
    assert SHARD_FILE in FILES
