"""Admissions: what becomes of uploads, good and bad, early, late, broken, again."""

import json
from dataclasses import replace

import pytest

from berth.domain.errors import Throttled, Unavailable
from berth.domain.probing import ProbeReport
from tests.support.world import FILES, MIB, SHARD_FILE, World
from tests.unit.berth.app import worlds

ANSWER = "acme/digits/1.status.json"


def test_an_upload_before_its_sign_up_waits_and_is_judged_at_sign_up():
    world = worlds.fresh()
    world.upload("acme/digits/1")
    world.run()
    assert world.answer(ANSWER)["state"] == "PENDING"
    assert world.probe.requests == []
    world.sign_up()
    world.settle()
    assert world.answer(ANSWER)["state"] == "ADMITTED"
    assert world.loaded("shard-0", "acme.digits") == {1}


def test_an_upload_of_a_closed_account_waits_for_its_return():
    world = worlds.signed_up()
    world.customer("closed", "acme", at=1)
    world.run()
    world.upload("acme/digits/1")
    world.settle()
    assert "closed" in world.answer(ANSWER)["reason"]
    world.sign_up(at=2)
    world.settle()
    assert world.loaded("shard-0", "acme.digits") == {1}


def test_an_incomplete_upload_names_what_is_missing_and_is_admitted_when_it_comes():
    world = worlds.signed_up()
    world.put("acme/digits/1/saved_model.pb", b"graph")
    world.put("acme/digits/1/variables/variables.index", b"index")
    world.settle()
    assert world.answer(ANSWER)["state"] == "INCOMPLETE"
    assert world.answer(ANSWER)["missing"] == [SHARD_FILE]
    probes = len(world.probe.requests)
    world.put("acme/digits/1/assets/words.txt", b"words")
    world.run()
    assert len(world.probe.requests) == probes, "a file that was not missing costs no probe"
    world.put(f"acme/digits/1/{SHARD_FILE}", b"weights")
    world.settle()
    assert world.answer(ANSWER)["state"] == "ADMITTED"
    assert world.loaded("shard-0", "acme.digits") == {1}


def test_without_saved_model_nothing_is_asked():
    world = worlds.signed_up()
    world.put("acme/digits/1/variables/variables.index", b"index")
    world.run()
    assert world.handled["admissions"] == 0


def test_a_rejected_number_may_come_again_with_other_bytes():
    world = worlds.signed_up()
    world.upload("acme/digits/1", **{"saved_model.pb": b"bad"})
    world.settle()
    assert world.answer(ANSWER)["state"] == "REJECTED"
    assert world.said("model.rejected") == [("model.rejected", "acme.digits", 1)]
    assert world.model("acme.digits") is None
    world.upload("acme/digits/1")
    world.settle()
    assert world.answer(ANSWER)["state"] == "ADMITTED"
    assert world.loaded("shard-0", "acme.digits") == {1}


def test_other_bytes_for_an_admitted_number_are_refused_and_what_serves_stays_to_be_seen():
    world = worlds.serving()
    generation = world.models.stat("acme/digits/1/saved_model.pb").generation
    world.upload("acme/digits/1", **{"saved_model.pb": b"other graph"})
    world.settle()
    answer = world.answer(ANSWER)
    assert answer["state"] == "ADMITTED"
    assert "upload a new version" in answer["refused"]
    assert world.said("model.rejected") == [("model.rejected", "acme.digits", 1)]
    assert world.models.stat("acme/digits/1/saved_model.pb").generation == generation
    assert world.loaded("shard-0", "acme.digits") == {1}
    world.fleet_tick(sweep=True)
    assert world.said("model.rejected") == [("model.rejected", "acme.digits", 1)], "said once"


def test_the_same_bytes_again_change_nothing():
    world = worlds.serving()
    written, probes = len(world.control.writes), len(world.probe.requests)
    world.upload("acme/digits/1")
    world.settle()
    assert len(world.probe.requests) == probes
    assert world.control.writes[written:] == []


def test_three_lost_probes_are_a_verdict():
    world = worlds.signed_up()
    asked = []

    def lost(request):
        asked.append(request)
        raise Unavailable("the sandbox died")

    world.probe.verdict = lost
    world.upload("acme/digits/1")
    world.settle()
    assert len(asked) == 3
    assert "three attempts" in world.answer(ANSWER)["reason"]
    assert world.said("model.rejected") == [("model.rejected", "acme.digits", 1)]


def test_a_probe_that_has_no_room_is_no_attempt():
    world = worlds.signed_up()
    refusals = [Throttled("busy")] * 7

    def busy(request):
        if refusals:
            raise refusals.pop()
        return world.judge(request)

    world.probe.verdict = busy
    world.upload("acme/digits/1")
    world.settle()
    assert world.answer(ANSWER)["state"] == "ADMITTED"


def test_a_graph_that_killed_the_probe_may_be_replaced():
    world = worlds.signed_up()

    def lost(request):
        raise Unavailable("the sandbox died")

    world.probe.verdict = lost
    world.upload("acme/digits/1")
    world.settle()
    world.probe.verdict = world.judge
    world.upload("acme/digits/1", **{"saved_model.pb": b"a better graph"})
    world.settle()
    assert world.answer(ANSWER)["state"] == "ADMITTED"


def test_files_that_vanish_during_the_promotion_burn_the_number():
    world = worlds.signed_up()

    def judge(request):
        report = world.judge(request)
        world.uploads.delete(request.prefix + SHARD_FILE)
        return report

    world.probe.verdict = judge
    world.upload("acme/digits/1")
    world.settle()
    assert "burnt" in world.answer(ANSWER)["reason"]
    world.probe.verdict = world.judge
    world.upload("acme/digits/1", **{"saved_model.pb": b"other"})
    world.settle()
    assert world.model("acme.digits") is None
    world.upload("acme/digits/2")
    world.settle()
    assert world.loaded("shard-0", "acme.digits") == {2}


@pytest.mark.parametrize(
    ("number", "reason"), [(10**6 + 1, "more than 10^6"), (10**15, "more than 10^6")]
)
def test_nobody_ends_newest_wins_for_ever(number, reason):
    world = worlds.signed_up()
    world.upload(f"acme/digits/{number}")
    world.settle()
    assert reason in world.answer(f"acme/digits/{number}.status.json")["reason"]
    assert world.probe.requests == []


def test_too_many_models_for_the_plan():
    world = worlds.fresh()
    world.sign_up(plan="free")
    for model in ("one", "two", "three"):
        world.upload(f"acme/{model}/1")
        world.run()
    world.settle()
    states = {m: world.answer(f"acme/{m}/1.status.json")["state"] for m in ("one", "two", "three")}
    assert states == {"one": "ADMITTED", "two": "ADMITTED", "three": "REJECTED"}


def test_too_many_files_are_refused_without_a_probe_and_few_listings():
    world = worlds.fresh()
    world.sign_up(plan="free")
    for n in range(210):
        world.uploads.put(f"acme/digits/1/assets/{n}", b"", if_generation=None)
    world.upload("acme/digits/1")
    world.settle()
    assert "more than 200 files" in world.answer(ANSWER)["reason"]
    assert world.probe.requests == []


def test_too_many_bytes_are_refused_without_a_probe():
    world = worlds.fresh()
    world.sign_up(plan="free")
    world.run()
    large = 257 * MIB
    list_files = world.uploads.list

    def listing(prefix, **bounds):
        stats = list_files(prefix, **bounds)
        return [replace(s, size=large) if s.name.endswith("saved_model.pb") else s for s in stats]

    world.uploads.list = listing
    world.upload("acme/digits/1")
    world.settle()
    assert "the plan allows" in world.answer(ANSWER)["reason"]
    assert world.probe.requests == []


@pytest.mark.parametrize("name", ["Acme/digits/1/saved_model.pb", "acme/digits/01/x", "loose.txt"])
def test_a_bad_name_is_answered_once(name):
    world = worlds.signed_up()
    world.put(name, b"x")
    world.settle()
    answer = "/".join(name.split("/")[:3]) + ".status.json"
    assert world.answer(answer)["state"] == "REJECTED"
    generation = world.uploads.stat(answer).generation
    world.put(name, b"y")
    world.settle()
    assert world.uploads.stat(answer).generation == generation


def test_an_object_of_another_bucket_is_refused():
    world = worlds.signed_up()
    name = "acme/digits/1/saved_model.pb"
    body = {"eventType": "OBJECT_FINALIZE", "bucketId": "other", "objectId": name}
    body |= {"objectGeneration": "1"}
    world.send("uploaded", json.dumps(body).encode())
    world.run()
    ((topic, error),) = world.refused
    assert topic == "uploaded"
    assert "another bucket" in str(error)


def test_a_probe_that_accepts_without_measuring_is_not_believed():
    world = worlds.signed_up()
    world.probe.verdict = lambda r: ProbeReport(state="ACCEPTED", reason="", files=tuple(FILES))
    world.upload("acme/digits/1")
    world.settle()
    assert world.answer(ANSWER)["state"] == "REJECTED"


def test_the_sweep_finds_a_lost_event():
    world = worlds.signed_up()
    world.upload("acme/digits/1")
    world.queue.clear()
    world.settle()
    assert world.model("acme.digits") is None
    world.fleet_tick(sweep=True)
    world.settle()
    assert world.loaded("shard-0", "acme.digits") == {1}


def test_a_sweep_over_judged_versions_asks_for_nothing():
    world = worlds.serving()
    world.upload("acme/other/1", **{"saved_model.pb": b"bad"})
    world.settle()
    asked = world.handled["admissions"]
    world.fleet_tick(sweep=True)
    assert world.handled["admissions"] == asked


def test_files_that_come_while_it_is_judged_are_looked_at_by_the_one_that_judges():
    world = worlds.signed_up()

    def judge(request):
        if len(world.probe.requests) == 1:
            world.uploads.put("acme/digits/1/fingerprint.pb", b"print", if_generation=None)
            world.run()
        return world.judge(request)

    world.probe.verdict = judge
    world.upload("acme/digits/1")
    world.settle()
    assert world.answer(ANSWER)["state"] == "ADMITTED"
    assert world.admission("acme.digits", 1).lease.holder == ""


def test_world_is_quiet_at_first():
    assert World().said() == []
