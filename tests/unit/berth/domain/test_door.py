"""The door's files: what of the fleet's routes reaches Envoy, and that the same fleet gives the same bytes."""

import json

import pytest

from berth.domain import door, door_bootstrap
from berth.domain.errors import Damaged
from berth.domain.quotas import PLANS
from berth.domain.routing import ModelRoute, ShardRoutes

KEY, OTHER = "a" * 64, "b" * 64
SITE = door.Site("/run/door", "10.0.0.9", 8080, "/run/admin/sock", 9902, "-- the filter")


def routes(shard, **models):
    named = {name.replace("__", "."): route for name, route in models.items()}
    return ShardRoutes(shard=shard, models=named)


def serving(*versions, **more):
    return ModelRoute(**{"versions": versions, "default": versions[-1], "keys": (KEY,)} | more)


def table(*fleet, pods=None):
    pods = {one.shard: ["10.0.0.1"] for one in fleet} if pods is None else pods
    made = door.render(SITE, fleet, pods)
    return {name: data.decode().splitlines() for name, data in made.table.items()}


def test_a_model_is_one_file_of_what_the_filter_asks_for():
    route = serving(3, 4, default=3, canary={4: 10}, labels={"stable": 3}, plan="standard")
    assert table(routes("s-1", acme__churn=route)) == {
        "models/acme.churn": [
            "shard s-1",
            "plan standard",
            f"key {KEY}",
            "version 3",
            "version 4",
            "default 3",
            "canary 4 10",
            "label stable 3",
        ],
        "customers/acme": [f"key {KEY}"],
    }


def test_what_is_not_announced_gets_nothing():
    route = serving(3, default=5, canary={4: 10}, labels={"new": 4, "old": 3})
    lines = table(routes("s-1", acme__churn=route))["models/acme.churn"]
    assert not [line for line in lines if line.startswith(("canary", "default"))]
    assert [line for line in lines if line.startswith("label")] == ["label old 3"]


def test_a_pending_model_has_its_reason_on_one_line_and_a_leaving_one_is_gone():
    pending = ModelRoute(reason="no room\nkey ffff", keys=(KEY,))
    made = table(routes("s-1", acme__new=pending, acme__gone=ModelRoute(keys=(OTHER,))))
    assert made["models/acme.new"][-1] == "reason no room key ffff"
    assert "models/acme.gone" not in made
    assert made["customers/acme"] == [f"key {KEY}", f"key {OTHER}"]


def test_a_plan_that_is_not_known_has_the_least_rate():
    assert "plan free" in table(routes("s-1", a__b=serving(1, plan="gold")))["models/a.b"]


@pytest.mark.parametrize(
    ("left", "right", "chosen"),
    [
        (serving(1), serving(1, arriving=True, document=9), "left"),
        (serving(1, document=8), serving(1, document=9), "right"),
        (ModelRoute(document=9), serving(1, document=8), "right"),  # moved away from the left
        (ModelRoute(reason="loading", document=8), serving(1, arriving=True), "right"),
        (ModelRoute(document=9), ModelRoute(reason="loading", document=8), "right"),
        (serving(1), serving(1), "right"),  # any, but always the same
    ],
)
def test_of_two_shards_the_one_that_serves_is_chosen(left, right, chosen):
    for fleet in ((left, right), (right, left)):
        names = ("left", "right") if fleet[0] is left else ("right", "left")
        made = [routes(n, a__b=r) for n, r in zip(names, fleet, strict=True)]
        assert table(*made)["models/a.b"][0] == f"shard {chosen}"


def test_a_shard_with_replicas_is_preferred_to_one_without():
    fleet = [routes("s-1", a__b=serving(1, document=9)), routes("s-2", a__b=serving(1))]
    made = table(*fleet, pods={"s-2": ["10.0.0.2"]})
    assert made["models/a.b"][0] == "shard s-2"


def addresses(made, name):
    """Of a cluster, as its file has it."""
    clusters = json.loads(door.listed(made.clusters)["cds.json"])["resources"]
    (one,) = [one for one in clusters if one["name"] == name]
    groups = [group["lb_endpoints"] for group in one["load_assignment"]["endpoints"]]
    sockets = [item["endpoint"]["address"]["socket_address"] for group in groups for item in group]
    return [f"{one['address']}:{one['port_value']}" for one in sockets]


def test_a_shard_has_two_clusters_of_its_ready_pods():
    made = door.render(SITE, [routes("s-1")], {"s-1": ["10.0.0.2", "10.0.0.1", "10.0.0.1"]})
    assert addresses(made, "rest-s-1") == ["10.0.0.1:8501", "10.0.0.2:8501"]
    assert addresses(made, "grpc-s-1") == ["10.0.0.1:8500", "10.0.0.2:8500"]


def test_a_shard_without_routes_or_without_pods_is_known_all_the_same():
    made = door.render(SITE, [routes("s-1")], {"s-2": ["10.0.0.2"]})
    assert addresses(made, "rest-s-1") == []
    assert addresses(made, "rest-s-2") == ["10.0.0.2:8501"]


def test_a_clusters_file_gives_back_what_it_was_made_of():
    made = door.render(SITE, [routes("a-b-1")], {"s-2": ["10.0.0.2"]})
    assert door.known(door.listed(made.clusters)["cds.json"]) == made.clusters
    assert door.known(b"") == {}
    with pytest.raises(Damaged):
        door.known(b'{"resources": [{}]}')


@pytest.mark.parametrize(
    ("clusters", "shards"),
    [
        ({"rest-s-1", "grpc-s-1", "admin"}, {"s-1"}),
        ({"rest-s-1", "grpc-s-2"}, set()),
        (set(), set()),
    ],
)
def test_a_shard_is_reachable_when_both_its_clusters_are(clusters, shards):
    assert door.reachable(clusters) == shards


def test_the_same_fleet_gives_the_same_bytes_in_any_order():
    fleet = [
        routes("s-1", a__b=serving(1, keys=(KEY, OTHER)), a__c=serving(1)),
        routes("s-2", a__d=serving(2, canary={2: 5}, labels={"x": 2, "y": 2})),
    ]
    turned = [
        routes("s-2", a__d=serving(2, canary={2: 5}, labels={"y": 2, "x": 2})),
        routes("s-1", a__c=serving(1), a__b=serving(1, keys=(OTHER, KEY))),
    ]
    one = door.render(SITE, fleet, {"s-1": "ab", "s-2": ()})
    two = door.render(SITE, turned, {"s-2": (), "s-1": "ba"})
    assert door.listed(one.clusters) == door.listed(two.clusters)
    assert one.table == two.table


def test_every_plan_has_its_rate_in_the_listener():
    listener = door.render(SITE, [], {}).listeners["lds.json"].decode()
    assert all(
        f'"tokens_per_fill":{quota.requests_per_second}' in listener for quota in PLANS.values()
    )
    assert "-- the filter" in listener
    assert "/run/door" in listener


def test_the_bootstrap_opens_no_port_for_the_admin_interface():
    made = json.loads(door_bootstrap.render(SITE, 1024**2))
    assert made["admin"] == {"address": {"pipe": {"path": "/run/admin/sock", "mode": 0o600}}}
    (health,) = made["static_resources"]["listeners"]
    (chain,) = health["filter_chains"]
    (host,) = chain["filters"][0]["typed_config"]["route_config"]["virtual_hosts"]
    assert [one["match"] for one in host["routes"]] == [
        {"path": "/ready"},
        {"path": "/stats/prometheus"},
    ]
