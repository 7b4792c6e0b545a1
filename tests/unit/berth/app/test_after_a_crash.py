"""What the crash matrix found (tests/reliability), each bug with a test of its own."""

import json

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
    world.queue.remove(delivery)
    return delivery


def test_a_good_upload_after_a_bad_one_is_judged_though_its_first_judge_died():
    world = worlds.signed_up()
    world.upload("acme/digits/1", {**FILES, "saved_model.pb": b"bad graph"})
    world.settle()
    world.upload("acme/digits/1")
    world.queue.append(die_after(world, "put", "admissions/acme.digits/1.json", topic="admissions"))
    world.settle()
    assert world.admission("acme.digits", 1).verdict.state == "ADMITTED"
    assert world.loaded("shard-0", "acme.digits") == {1}


def test_the_verdict_on_earlier_bytes_does_not_end_a_promotion_that_began():
    world = worlds.signed_up()
    world.upload("acme/digits/1", {**FILES, "saved_model.pb": b"bad graph"})
    world.settle()
    world.upload("acme/digits/1")
    world.queue.append(die_after(world, "put", "models/acme.digits.json", topic="admissions"))
    world.settle()
    assert world.said("model.admitted") == [("model.admitted", "acme.digits", 1)]


def test_an_admission_that_comes_again_does_not_bring_a_deleted_model_back():
    world = worlds.signed_up()
    world.upload("acme/digits/1")
    again = die_after(world, "put", "models/acme.digits.json", topic="admissions")
    world.customer("deleted", "acme", at=1, model="digits")
    world.run()
    world.settle()
    world.clock.advance(400)
    world.queue.append(again)
    world.settle()
    assert world.admission("acme.digits", 1).verdict.state == "ADMITTED"
    assert world.loaded("shard-0", "acme.digits") == set()


def test_an_admission_that_comes_again_writes_no_document_again():
    world = worlds.signed_up()
    world.upload("acme/digits/1")
    again = die_after(world, "put", "models/acme.digits.json", topic="admissions")
    written = world.control.stat("models/acme.digits.json").generation
    world.clock.advance(400)
    world.queue.append(again)
    world.settle()
    assert world.admission("acme.digits", 1).verdict.state == "ADMITTED"
    assert world.control.stat("models/acme.digits.json").generation == written


def test_an_admission_that_began_to_promote_ends_though_the_account_was_closed():
    world = worlds.signed_up()
    world.upload("acme/digits/1")
    again = die_after(world, "put", "models/acme.digits.json", topic="admissions")
    world.customer("closed", "acme", at=1)
    world.run()
    world.clock.advance(400)
    world.queue.append(again)
    world.settle()
    assert world.said("model.admitted") == [("model.admitted", "acme.digits", 1)]
    assert world.loaded("shard-0", "acme.digits") == set()


def test_an_outcome_published_again_keeps_its_id_though_the_document_changed():
    world = worlds.signed_up()
    world.upload("acme/digits/1")
    again = die_after(world, "publish", "events", topic="shards")
    world.put("acme/digits/serving.yaml", b"keep: 2")
    world.run()
    world.clock.advance(60)
    world.queue.append(again)
    world.settle()
    serving = [
        body["id"]
        for message in world.publisher.messages["events"]
        if (body := json.loads(message.data))["type"].endswith("model.serving")
        and body["subject"] == "acme.digits"
    ]
    assert len(serving) == 2
    assert len(set(serving)) == 1


def test_a_deletion_takes_the_version_whose_admission_has_not_ended():
    world = worlds.signed_up()
    world.upload("acme/digits/1")
    waiting = world.run_until("admissions")
    world.queue.clear()
    world.customer("deleted", "acme", at=1, model="digits")
    world.run()
    world.deliver(waiting)
    world.settle()
    assert world.loaded("shard-0", "acme.digits") == set()
    world.clock.advance(60)
    world.upload("acme/digits/2")
    world.settle()
    assert world.loaded("shard-0", "acme.digits") == {2}


def test_closing_waits_for_the_sign_up_it_overtook():
    world = worlds.fresh()
    world.customer("closed", "acme", at=1)
    delivery = world.queue.popleft()
    world.deliver(delivery)
    assert delivery.attempts == 1
    world.queue.clear()
    world.sign_up()
    world.run()
    world.deliver(delivery)
    world.settle()
    assert world.loaded("shard-0", "acme.starter") == set()


def test_what_was_being_admitted_while_the_account_was_closed_is_retired_with_it():
    world = worlds.signed_up()
    world.upload("acme/digits/1")
    waiting = world.run_until("admissions")
    world.queue.clear()

    def close(kind, name):
        if (kind, name) == ("put", "models/acme.digits.json"):
            world.revive()
            world.customer("closed", "acme", at=1)
            world.deliver(world.queue.popleft())

    world.fail(close)
    world.deliver(waiting)
    world.settle()
    assert world.loaded("shard-0", "acme.digits") == set()
    world.sign_up(at=2)
    world.settle()
    assert world.loaded("shard-0", "acme.digits") == {1}


def test_a_model_placed_anew_leaves_nothing_behind_though_the_tick_died():
    world = worlds.signed_up(shards=1, max_models=2, max_shards=2)
    world.upload("acme/first/1")
    world.upload("acme/second/1")
    world.run()
    world.send("ticks", b"{}")
    again = die_after(world, "put", "shards/shard-1/models/acme.second", topic="ticks")
    world.clock.advance(200)
    world.queue.append(again)
    world.settle()
    assert world.loaded("shard-1", "acme.second") == {1}
    assert world.control.stat("shards/shard-0/models/acme.second") is None
    assert "acme.second" not in world.shard_status("shard-0").models


def test_a_serving_yaml_that_was_taken_up_is_projected_and_answered_though_its_taker_died():
    world = worlds.serving()
    world.put("acme/digits/serving.yaml", b"keep: 2")
    again = die_after(world, "put", "models/acme.digits.json", topic="admissions")
    world.deliver(again)
    world.run()
    document = world.control.stat("models/acme.digits.json").generation
    projection = world.control.stat("shards/shard-0/models/acme.digits")
    assert int(projection.metadata["document"]) == document
    assert world.answer("acme/digits/serving.yaml.status.json")["state"] == "ADMITTED"
