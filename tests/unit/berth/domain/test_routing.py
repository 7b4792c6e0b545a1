"""Routes: what routers may send to a shard, from what a pass sees."""

from datetime import timedelta

import pytest

from berth.app import reconcile_shard
from berth.domain import routing
from berth.domain.routing import ModelRoute, ShardRoutes, Sources, StoredRoutes
from tests.support.shards import NAME, NOW, ago, projection, record


def made(projected, recorded, before=None, *, configured=True):
    sources = Sources(
        {NAME: projected} if projected else {},
        {NAME: recorded},
        frozenset({NAME} if configured else ()),
    )
    stored = before and StoredRoutes(ShardRoutes(shard="shard-0", models={NAME: before}), 1, ago(9))
    return routing.made("shard-0", sources, stored, NOW).models.get(NAME)


def test_what_is_announced_is_routed_and_the_newest_is_the_default():
    route = made(projection(1, 2, 3, document=8), record(2, 3))
    assert route.versions == (2, 3)
    assert route.default == 3
    assert route.document == 8
    assert route.since == NOW.isoformat()
    assert route.reason == ""


def test_a_pin_is_the_default_once_it_serves():
    assert made(projection(1, 2, pin=1), record(1, 2)).default == 1
    assert made(projection(1, 2, pin=1), record(2)).default == 2


@pytest.mark.parametrize(
    ("announced", "wished", "default"),
    [
        ((3, 4), {"canary": {4: 10}}, 3),
        ((2, 3, 4), {"canary": {4: 10}, "keep": 2}, 3),
        ((3, 4), {"canary": {3: 10}}, 4),
        ((3, 4), {"canary": {4: 10}, "pin": 3}, 3),
        ((2, 4), {"canary": {4: 10}, "pin": 3}, 2),
        ((2, 4), {"labels": {"next": 4}, "pin": 3}, 2),
        ((4, 5), {"canary": {5: 10}, "pin": 3}, 4),
        ((4,), {"canary": {4: 10}}, 4),
        ((), {"canary": {4: 10}}, None),
    ],
)
def test_a_canary_is_never_the_default_beside_another(announced, wished, default):
    assert made(projection(2, 3, 4, **wished), record(*announced)).default == default


def test_a_canary_has_its_percentage_once_it_serves():
    wished = projection(3, 4, canary={4: 10})
    assert made(wished, record(3)).canary == {}
    assert made(wished, record(3, 4)).canary == {4: 10}


def test_a_label_names_what_it_named_until_its_new_version_serves():
    before = ModelRoute(versions=(3,), labels={"stable": 3, "gone": 3}, since="t")
    wished = projection(3, 4, labels={"stable": 4, "new": 4})
    assert made(wished, record(3), before).labels == {"stable": 3, "new": 4}
    assert made(wished, record(3, 4), before).labels == {"stable": 4, "new": 4}
    assert made(wished, record(), before).labels == {"stable": 4, "new": 4}


@pytest.mark.parametrize(
    ("recorded", "reason"),
    [
        (record(state="PENDING", reason="shard full: 9 models"), "shard full: 9 models"),
        (record(state="QUARANTINED", reason="version 1: it is bad"), "version 1: it is bad"),
        (record(state="LOADING", reason="available on 1 of 2 replicas"), "it is being loaded"),
        (record(state="PENDING"), "it is being loaded"),
    ],
)
def test_what_is_not_served_yet_says_why(recorded, reason):
    route = made(projection(1), recorded, configured=False)
    assert route.versions == ()
    assert route.default is None
    assert route.reason == reason


def test_a_reason_is_bounded():
    assert len(made(projection(1), record(state="PENDING", reason="x" * 999)).reason) == 300


def test_a_model_that_leaves_stays_without_versions_until_no_config_names_it():
    leaving = made(projection(1, retired=True), record(state="LOADING", reason="leaving"))
    assert leaving.versions == ()
    assert leaving.reason == ""
    assert made(projection(1, retired=True), record(state="RETIRED"), configured=False) is None


def test_what_no_projection_names_is_carried_forward():
    before = ModelRoute(
        versions=(1, 2), default=1, plan="free", keys=("a" * 64,), document=5, since="t"
    )
    assert made(None, record(1, 2), before) == before
    left = made(None, record(2), before)
    assert (left.versions, left.default, left.keys) == ((2,), 2, before.keys)


def test_a_model_that_moves_here_is_arriving():
    assert made(projection(1, arriving=True), record(1)).arriving
    assert not made(projection(1), record(1)).arriving


def test_since_tells_when_the_versions_changed_and_nothing_else():
    before = ModelRoute(versions=(1,), default=1, document=5, since="before")
    assert made(projection(1, document=9), record(1), before).since == "before"
    assert made(projection(1, 2, document=9), record(2), before).since == NOW.isoformat()


def stored(**changes):
    route = ModelRoute(versions=(1,), default=1, since="t", document=3).model_copy(update=changes)
    return ShardRoutes(shard="shard-0", models={NAME: route})


@pytest.mark.parametrize(
    ("changes", "urgent"),
    [
        ({}, False),
        ({"reason": "r"}, False),
        ({"document": 4}, False),
        ({"versions": (1, 2)}, True),
        ({"default": None}, True),
        ({"canary": {1: 10}}, True),
        ({"labels": {"a": 1}}, True),
        ({"plan": "free"}, True),
        ({"keys": ("a" * 64,)}, True),
        ({"arriving": True}, True),
    ],
)
def test_what_routers_must_know_at_once(changes, urgent):
    before = StoredRoutes(stored(), 1, ago(9))
    assert routing.urgent(before, stored(**changes)) == urgent


def test_routes_that_are_missing_or_damaged_are_urgent():
    assert routing.urgent(None, stored())
    assert routing.urgent(StoredRoutes(None, 4, ago(9)), stored())


def test_a_pass_stores_what_it_saw_before_its_lease_ends():
    assert timedelta(seconds=reconcile_shard.LEASE_SECONDS) <= routing.STORED_WITHIN
