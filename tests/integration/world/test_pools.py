"""Pools: shards of their own, for the customers whose plan says so, and for nobody else."""

import copy

from berth.domain import documents
from berth.domain.documents import Customer, Shard
from berth.domain.errors import InvalidEvent
from tests.support.passing import minutes
from tests.support.world import World
from tests.support.world_parts import MANIFESTS

PATCH = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "spec": {"template": {"spec": {"nodeSelector": {"berth.dev/pool": "gold"}}}},
}


def world(**shape):
    made = World(**{"max_shards": 9, **shape})
    object.__setattr__(made.reconcile_shard, "pools", {"gold": (PATCH,)})
    made.policy(pools={"gold": {"memory_bytes": 3 * 1024**3}})
    return made.settle()


def pool_of(made, shard):
    return made.read(documents.shard_name(shard), Shard).pool


def places(made, servable):
    """The pools of the shards where a model is loaded."""
    names = (name.rstrip("/") for name in made.control.folders("shards/"))
    return [pool_of(made, name) for name in names if made.loaded(name, servable) == {1}]


def account(made, customer="acme"):
    return made.read(documents.customer_name(customer), Customer)


def test_a_pool_has_shards_on_its_own_nodes_and_of_its_own_shape():
    made = world()
    (gold,) = [n for n in ("shard-0", "shard-1") if pool_of(made, n) == "gold"]
    deployment = made.workloads.observe(gold).objects["Deployment"]["spec"]["template"]["spec"]
    assert deployment["nodeSelector"]["berth.dev/pool"] == "gold"
    assert deployment["containers"][0]["resources"]["limits"]["memory"] == "3Gi"
    (other,) = {"shard-0", "shard-1"} - {gold}
    common = made.workloads.observe(other).objects["Deployment"]["spec"]["template"]["spec"]
    plain = next(copy.deepcopy(m) for m in MANIFESTS if m["kind"] == "Deployment")
    assert common["nodeSelector"] == plain["spec"]["template"]["spec"]["nodeSelector"]


def test_a_customer_of_a_pool_is_served_there_and_others_are_not():
    made = world()
    made.customer("signed_up", "acme", plan="standard", pool="gold")
    made.sign_up("globex")
    made.settle()
    for customer in ("acme", "globex"):
        made.upload(f"{customer}/digits/1")
    made.settle()
    for model in ("starter", "digits"):
        assert places(made, f"acme.{model}") == ["gold"]
        assert places(made, f"globex.{model}") == [""]
    assert made.model("acme.digits").placed.pool == "gold"


def test_a_full_pool_grows_and_its_models_wait_for_a_shard_of_it():
    made = world(max_models=4)
    made.customer("signed_up", "acme", plan="standard", pool="gold")
    made.settle()
    for number in range(6):
        made.upload(f"acme/m{number}/1")
    made.settle(rounds=80)
    assert all(places(made, f"acme.m{n}") == ["gold"] for n in range(6))


def test_a_customer_moves_to_a_pool_and_back_without_a_gap():
    made = world()
    made.sign_up()
    made.settle()
    made.upload("acme/digits/1")
    made.settle()

    def check():
        assert places(made, "acme.digits"), "a gap"

    made.customer("plan_changed", "acme", at=1, plan="enterprise", pool="gold")
    minutes(made, 8, check)
    assert places(made, "acme.digits") == places(made, "acme.starter") == ["gold"]
    assert pool_of(made, account(made).home_shard) == "gold"
    made.upload("acme/more/1")
    made.settle()
    assert places(made, "acme.more") == ["gold"]
    made.customer("plan_changed", "acme", at=2, plan="standard", pool="")
    minutes(made, 8, check)
    assert {*places(made, "acme.digits"), *places(made, "acme.more")} == {""}


def test_a_customer_stays_at_home_while_the_home_is_in_its_pool():
    made = world(shards=3)
    made.sign_up()
    made.settle()
    home = account(made).home_shard
    for number in range(3):
        made.customer("plan_changed", "acme", at=1 + number, plan="free")
        made.sign_up(at=10 + number)
    made.settle()
    assert account(made).home_shard == home


def test_a_change_of_plan_that_says_nothing_of_the_pool_leaves_it():
    made = world()
    made.customer("signed_up", "acme", plan="standard", pool="gold")
    made.customer("plan_changed", "acme", at=3, plan="enterprise")
    made.settle()
    assert (account(made).plan, account(made).pool) == ("enterprise", "gold")
    assert places(made, "acme.starter") == ["gold"]


def test_the_newest_word_on_the_pool_counts_whatever_comes_first():
    made = world()
    made.sign_up()
    made.settle()
    made.customer("plan_changed", "acme", at=5, plan="standard", pool="gold")
    made.customer("plan_changed", "acme", at=4, plan="enterprise", pool="")
    made.customer("plan_changed", "acme", at=6, plan="free")
    minutes(made, 8)
    assert (account(made).plan, account(made).pool) == ("free", "gold")
    assert places(made, "acme.starter") == ["gold"]


def test_a_pool_that_nobody_made_is_refused_with_a_reason():
    made = world()
    made.customer("signed_up", "acme", plan="standard", pool="silver")
    made.customer("signed_up", "globex", plan="standard", pool="No Name")
    made.run()
    reasons = [str(error) for _, error in made.refused]
    assert all(isinstance(error, InvalidEvent) for _, error in made.refused)
    assert reasons == [
        "there is no pool silver: fleet/policy.json does not name it",
        "pool 'No Name' is not a valid name",
    ]
    assert account(made) is None
