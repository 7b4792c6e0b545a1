"""Turns: no more of a customer's versions are judged at once than the plan allows; who waits is called."""

from tests.unit.berth.app import worlds
from tests.unit.berth.app.worlds import reservations, state

DIGITS = "acme/digits/1.status.json"


def meanwhile(world, work):
    """Let something happen in the middle of the first probe."""
    judge, left = world.probe.verdict, [work]

    def verdict(request):
        if left:
            left.pop()()
        return judge(request)

    world.probe.verdict = verdict


def two_at_once(world, **first):
    """acme/other/1 is being probed when the request for acme/digits/1 comes."""
    world.upload("acme/digits/1")
    second = world.run_until("admissions")
    world.queue.clear()
    world.upload("acme/other/1", **first)
    before = world.clock.now()

    def deliver():
        world.deliver(second)
        assert state(world) == "PENDING"
        assert world.clock.now() == before, "nobody waits inside a delivery"
        assert len(world.probe.requests) == 1

    meanwhile(world, deliver)
    world.run()


def test_a_place_that_is_given_back_calls_who_waits_for_it(plan):
    plan(models=1)
    world = worlds.signed_up()
    two_at_once(world, **{"saved_model.pb": b"bad"})
    assert [state(world, "other/1"), state(world)] == ["REJECTED", "ADMITTED"]
    assert world.admission("acme.digits", 1).attempts == 0


def test_who_waits_for_a_turn_is_called_when_there_is_one(plan):
    plan(at_once=1)
    world = worlds.signed_up()
    two_at_once(world)
    assert [state(world, "other/1"), state(world)] == ["ADMITTED", "ADMITTED"]
    assert [n for n in world.buckets.objects["control"] if n.startswith("waiting/")] == []


def test_of_many_that_wait_each_has_its_turn_and_no_more_are_judged_at_once(plan):
    plan(at_once=2, models=500, admissions_per_hour=500)
    world = worlds.signed_up()
    models = [f"m{number}" for number in range(20)]
    for model in models:
        world.upload(f"acme/{model}/1")
    held = []
    world._collect()
    while any(d.topic == "uploaded" for d in world.queue):
        world.deliver(world.queue.popleft())
        world._collect()
    requests = list({d.data: d for d in world.queue if d.topic == "admissions"}.values())
    world.queue.clear()
    judge = world.probe.verdict

    def nested(request):
        """All others come while this one is being probed."""
        held.append(len(reservations(world)))
        if requests:
            world.deliver(requests.pop())
        return judge(request)

    world.probe.verdict = nested
    while requests:
        world.deliver(requests.pop())
    world.run()
    assert {state(world, f"{model}/1") for model in models} == {"ADMITTED"}
    assert max(held) == 2
    assert len(world.probe.requests) == 20


def test_a_full_plan_ends_the_wait_for_good(plan):
    plan(models=1)
    world = worlds.signed_up()
    two_at_once(world)
    assert state(world, "other/1") == "ADMITTED"
    assert state(world) == "REJECTED"
    assert "1 models, 1 are used" in world.answer(DIGITS)["reason"]


def test_one_that_is_refused_passes_its_turn_on(plan):
    """Three wait; the one that is called first is over the plan, and calls the next."""
    plan(at_once=1, models=1)
    world = worlds.signed_up()
    names = [f"acme/{model}/1" for model in ("aa", "bb", "digits")]
    requests = []
    for name in (*names, "acme/digits/2"):
        world.upload(name)
        requests.append(world.run_until("admissions"))
        world.queue.clear()
    meanwhile(world, lambda: [world.deliver(r) for r in (requests[0], requests[1], requests[3])])
    world.deliver(requests[2])
    world.run()
    there = [state(world, v) for v in ("aa/1", "bb/1", "digits/1", "digits/2")]
    assert there == ["REJECTED", "REJECTED", "ADMITTED", "ADMITTED"]
