"""What the crash matrix found (tests/reliability), each bug with a test of its own."""

from tests.support.world import FILES, Crash
from tests.unit.berth.app import worlds


def die_after(world, kind, name, *, topic):
    """Let the next delivery on a topic die when a call has had its effect."""

    def after(called, of):
        if (called, of) == (kind, name):
            raise Crash(f"{kind} {name}")

    delivery = world.run_until(topic)
    world.fail(None, after)
    world.deliver(delivery)
    assert delivery.attempts == 1, "it died"


def test_a_good_upload_after_a_bad_one_is_judged_though_its_first_judge_died():
    world = worlds.signed_up()
    world.upload("acme/digits/1", {**FILES, "saved_model.pb": b"bad graph"})
    world.settle()
    world.upload("acme/digits/1")
    die_after(world, "put", "admissions/acme.digits/1.json", topic="admissions")
    world.settle()
    assert world.admission("acme.digits", 1).verdict.state == "ADMITTED"
    assert world.loaded("shard-0", "acme.digits") == {1}


def test_the_verdict_on_earlier_bytes_does_not_end_a_promotion_that_began():
    world = worlds.signed_up()
    world.upload("acme/digits/1", {**FILES, "saved_model.pb": b"bad graph"})
    world.settle()
    world.upload("acme/digits/1")
    die_after(world, "put", "models/acme.digits.json", topic="admissions")
    world.settle()
    assert world.said("model.admitted") == [("model.admitted", "acme.digits", 1)]
