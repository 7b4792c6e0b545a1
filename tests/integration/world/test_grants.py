"""Each identity has what it needs and nothing more: the stories use every grant of infra/grants.yaml.

Every other test over the memory twins shows that no story needs more: what is not granted is Denied.
"""

from datetime import timedelta

import pytest

from berth.domain import inbox
from berth.domain.errors import Denied
from berth.domain.probing import ProbeReport
from tests.support import granted
from tests.support.world import FILES, World

PROJECTION = "shards/shard-0/models/acme.digits"


# Made anew for each story: what another test began is not recorded.
def signed_up(**shape):
    world = World(**shape).settle()
    world.sign_up()
    return world.settle()


def serving():
    world = signed_up()
    world.upload("acme/digits/1")
    return world.settle()


def a_customers_life():
    """Uploads before the sign-up and after, wishes, another plan, goodbye."""
    world = World().settle()
    world.upload("acme/digits/1")
    world.run()
    world.sign_up()
    world.settle()
    world.put("acme/digits/2/variables/variables.index", b"index")
    world.run()  # there is no saved_model.pb yet
    world.upload("acme/digits/2")
    world.put("acme/digits/serving.yaml", b"keep: 2")
    world.settle()
    world.customer("plan_changed", "acme", at=1, plan="trial")
    world.customer("closed", "acme", at=2)
    world.settle()


def a_death_during_the_promotion():
    world = signed_up()
    world.upload("acme/digits/1")
    delivery = world.run_until("admissions")

    def check(kind, name):
        if kind == "copy_from" and name.endswith("variables.index"):
            world.crash_at(1)
            world.models.before(kind, name)

    world.fail(check)
    world.deliver(delivery)
    world.settle()
    assert world.loaded("shard-0", "acme.digits") == {1}


def files_that_keep_changing():
    world = signed_up()

    def judge(request):
        changed = b"index %d" % len(world.probe.requests)
        world.uploads.put("acme/digits/1/variables/variables.index", changed, if_generation=None)
        world.run()
        return ProbeReport(state="REJECTED", reason="it is bad")

    world.probe.verdict = judge
    world.upload("acme/digits/1")
    world.deliver(world.run_until("admissions"))
    assert world.outcomes[-1][1].reason == "its files keep changing"


def what_the_tick_mends():
    """A lost projection, a lost event, a model that came too late for its shard, servers of an age."""
    world = serving()
    world.control.delete(PROJECTION)
    world.fleet_tick()
    stale = world.control.stat(PROJECTION).metadata | {"document": "1"}
    world.control.put(PROJECTION, b"", if_generation=None, metadata=stale)
    world.fleet_tick()
    for name, data in FILES.items():
        world.uploads.put(f"acme/lost/1/{name}", data, if_generation=None)
    world.uploads.put("acme/digits/serving.yaml", b"keep: 2", if_generation=None)
    world._uploads_seen = len(world.uploads.writes)
    world.fleet_tick(sweep=True)
    world.clock.advance(timedelta(days=1, hours=1).total_seconds())
    world.settle()
    assert world.loaded("shard-0", "acme.lost") == {1}


def two_models_for_one_place():
    world = signed_up(max_models=2, max_shards=2)
    world.upload("acme/digits/1")
    world.upload("acme/more/1")
    world.settle()
    assert {world.model(f"acme.{name}").shard for name in ("digits", "more")} == {
        "shard-0",
        "shard-1",
    }


def a_turn_that_is_waited_for():
    world = World().settle()
    world.sign_up(plan="free")
    world.settle()
    world.upload("acme/digits/1")
    second = world.run_until("admissions")
    world.queue.clear()
    judge = world.probe.verdict

    def meanwhile(request):
        world.probe.verdict = judge
        world.deliver(second)
        return judge(request)

    world.probe.verdict = meanwhile
    world.upload("acme/more/1")
    world.settle()
    assert world.loaded("shard-0", "acme.digits") == {1}


def a_sweep_over_more_than_a_share():
    world = signed_up()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inbox, "MAX_SUBJECTS", 1)
        for number in (1, 2, 3):
            world.upload(f"acme/digits/{number}")
        world.queue.clear()
        for _ in range(3):
            world.fleet_tick(sweep=True)
    assert sorted(world.model("acme.digits").versions) == [1, 2, 3]


def a_silent_replica():
    world = serving()
    world.servers.unreachable.add(world.workloads.pods("shard-0")[0].address)
    world.upload("acme/digits/2")
    world.deliver(world.run_until("shards"))


def questions():
    world = serving()
    world.status.ask("/fleet")
    world.status.ask("/models/acme.digits")


def what_is_nobodys_any_more():
    """Bytes of nobody: of a number that was never judged, and of one that was refused."""
    world = serving()
    world.upload("acme/bad/1", {**FILES, "saved_model.pb": b"bad"})
    world.settle()
    for version in ("acme/bad/1", "acme/lost/1"):
        world.models.put(f"{version}/saved_model.pb", b"", if_generation=None)
    world.control.put("waiting/acme/bad/1", b"{}", if_generation=None)
    world.customer("closed", "acme", at=2)
    for _ in range(4):
        world.settle()
        world.clock.advance(timedelta(days=8).total_seconds())
        world.fleet_tick(sweep=True)
    assert [name for name in world.buckets.objects["models"] if "acme" in name] == []


def a_shard_comes_and_goes():
    world = signed_up(shards=2)
    world.policy(pools={"gold": {}})
    world.settle()
    world.customer("plan_changed", "acme", at=1, plan="standard", pool="gold")
    world.run()
    world.policy(common={"min_shards": 1})
    for _ in range(10):
        world.fleet_tick()
        world.tick(3)
        world.clock.advance(60)
    assert min(len(world.control.list(f"shards/shard-{n}/")) for n in range(3)) == 1


STORIES = (
    a_shard_comes_and_goes,
    a_customers_life,
    a_death_during_the_promotion,
    files_that_keep_changing,
    what_the_tick_mends,
    what_is_nobodys_any_more,
    two_models_for_one_place,
    a_turn_that_is_waited_for,
    a_sweep_over_more_than_a_share,
    a_silent_replica,
    questions,
)


def test_no_grant_is_unused():
    with granted.recording() as used:
        for tell in STORIES:
            tell()
    unused = granted.wanted() - used
    assert not unused, "\n".join(sorted(" ".join(grant) for grant in unused))


@pytest.fixture
def world():
    return serving()


def test_what_is_not_granted_is_denied(world):
    mine = granted.Identity(world, "status").store("control")
    name = "shards/shard-0/shard.json"
    assert mine.stat(name) is not None
    for refused in (
        lambda: mine.put(name, b"", if_generation=None),
        lambda: mine.delete(name),
        lambda: mine.get("customers/acme.json"),
        lambda: granted.Identity(world, "status").store("uploads").list(""),
        lambda: granted.Identity(world, "status").publisher.publish("shards", b""),
        lambda: granted.Identity(world, "on_upload").probe.probe(None),
    ):
        with pytest.raises(Denied):
            refused()


def test_a_promoted_file_cannot_be_written_over(world):
    models = granted.Identity(world, "admit_model").store("models")
    name = "acme/digits/1/saved_model.pb"
    generation = world.uploads.stat(name).generation
    with pytest.raises(Denied, match="delete"):
        models.copy_from("uploads", name, generation=generation, name=name)


def test_an_absent_object_is_forbidden_to_those_who_may_not_list(world):
    rights = granted.Rights(
        "a reader", world.buckets, {"control": granted.Access(get=("shards/",))}
    )
    store = granted.GrantedStore(world.control, rights)
    assert store.get("shards/shard-0/shard.json") is not None
    with pytest.raises(Denied, match="list"):
        store.get("shards/shard-9/shard.json")
