"""What routers may still ask for stays on the replicas until its grace is over, and not longer."""

from dataclasses import replace

import pytest

from berth.domain import rollout
from berth.domain.routing import ModelRoute, ShardRoutes, StoredRoutes
from berth.domain.shard_status import Quarantine, Told
from tests.support.shards import (
    AVAILABLE,
    MOUNT,
    NAME,
    ago,
    config,
    look,
    pod,
    projection,
    record,
    seen,
)

BOTH = config(digits=(1, 2))


def routed(*versions, since=3600, updated=3600):
    """Routes with these versions since so many seconds ago, stored by the last write of any model."""
    route = ModelRoute(versions=versions, since=ago(since).isoformat())
    return StoredRoutes(ShardRoutes(shard="shard-0", models={NAME: route}), 5, ago(updated))


def announced(routes, **more):
    """Version 2 took over from version 1, which every config still names."""
    given = {
        "projections": {NAME: projection(1, 2)},
        "boot": BOTH,
        "live": BOTH,
        "records": {NAME: record(2)},
        "report": {NAME: {1: AVAILABLE, 2: AVAILABLE}},
    }
    return replace(seen(**{**given, **more}), routes=routes)


def step(observed, **more):
    made = rollout.step(NAME, observed, mount=MOUNT, **more)
    return tuple(entry.versions if entry else () for entry in (made.live, made.boot))


@pytest.mark.parametrize(
    ("routes", "kept"),
    [
        (routed(1), True),
        (routed(2, since=6, updated=4.9), True),
        (routed(2, since=6, updated=5), False),
        (routed(2, since=44, updated=1), True),
        (routed(2, since=45, updated=1), False),
        (None, True),
        (StoredRoutes(None, 5, ago(60)), True),
        (StoredRoutes(ShardRoutes(shard="shard-0"), 5, ago(1)), False),
    ],
    ids=[
        *("the routes name it", "within the grace", "after the grace"),
        *("others changed them", "others change them for ever"),
        *("no routes", "damaged routes", "never routed"),
    ],
)
def test_an_old_version_waits_for_the_routers(routes, kept):
    versions = (1, 2) if kept else (2,)
    assert step(announced(routes)) == (versions, versions)


def test_the_end_of_the_grace_is_told():
    observed = announced(routed(2, since=6, updated=3))
    made = look(observed)
    assert made.until == ago(-2)
    assert made.open == ()
    assert not made.done
    assert look(announced(routed(2))).until is None


@pytest.mark.parametrize(
    ("routes", "boot", "waits"),
    [
        (routed(1), (1,), False),
        (routed(since=6, updated=4.9), (1,), True),
        (routed(since=6, updated=5), (), False),
        (None, (1,), False),
    ],
)
def test_a_retired_model_waits_for_the_routers(routes, boot, waits):
    leaving = announced(
        routes,
        projections={NAME: projection(1, retired=True)},
        boot=config(digits=(1,)),
        live=config(digits=(1,)),
        records={NAME: record(state="LOADING")},
    )
    assert step(leaving) == ((1,), boot)
    made = look(leaving)
    assert (made.until is not None) == waits
    assert made.open == (() if waits else (NAME,))


def test_a_version_that_ends_servers_waits_for_nobody():
    killer = Quarantine(reason="k", transient=False, attempts=2, alone=True)
    fallback = announced(routed(2), records={NAME: record(1, 2)})
    assert step(fallback, killers={2: killer}) == ((1,), (1,))


CRASHED = pod(2, ready=False, restarts=1, started=1)


@pytest.mark.parametrize(
    ("crashed", "told_ago", "quarantined", "kept"),
    [
        (CRASHED, 60, False, True),
        (replace(CRASHED, restarts=0, uid="new"), 60, False, False),
        (CRASHED, 181, False, False),
        (CRASHED, 60, True, False),
    ],
    ids=["told and gone", "a new one", "gone for long", "broken itself"],
)
def test_what_served_before_stays_until_it_is_known_how_a_replica_ended(
    crashed, told_ago, quarantined, kept
):
    live = config(told_ago, 1, digits=(1, 2))
    broken = Quarantine(reason="b", transient=False, attempts=1)
    observed = announced(
        routed(2),
        pods=(pod(1), crashed),
        live=live,
        records={NAME: record(2, quarantined={1: broken} if quarantined else {})},
    )
    told = Told(digest=live.digest, at=ago(told_ago).isoformat())
    observed = replace(observed, told={**observed.told, "u2/0": told})
    assert step(observed)[0] == ((1, 2) if kept else (2,))
    assert look(observed).until is None


def test_a_version_that_was_never_announced_waits_for_nobody():
    superseded = announced(
        routed(1),
        projections={NAME: projection(1, 2, 3)},
        boot=config(digits=(1,)),
        records={NAME: record(1)},
    )
    assert step(superseded) == ((1, 3), (1,))


def test_what_the_boot_config_does_not_have_is_never_kept_in_it():
    loading = announced(None, boot=config(digits=(2,)))
    assert step(loading) == ((1, 2), (2,))


@pytest.mark.parametrize(
    ("moving", "elsewhere"), [({}, False), ({"arriving": True}, True), ({"leaving": True}, True)]
)
@pytest.mark.parametrize("retired", [False, True])
@pytest.mark.parametrize("before", [False, True])
def test_it_is_recorded_whether_a_model_is_at_home_elsewhere(moving, elsewhere, retired, before):
    observed = announced(
        routed(2),
        projections={NAME: projection(2, retired=retired, **moving)},
        records={NAME: record(2, elsewhere=before)},
    )
    made = rollout.step(NAME, observed, mount=MOUNT)
    assert made.record.elsewhere == elsewhere


def test_what_only_the_boot_config_has_waits_for_the_routers_too():
    within = routed(2, since=6, updated=4.9)
    assert step(announced(within, live=config(digits=(2,)))) == ((2,), (1, 2))
    retired = {NAME: projection(1, retired=True)}
    leaving = {"projections": retired, "records": {NAME: record()}, "live": config()}
    assert step(announced(routed(since=6, updated=4.9), **leaving))[1] == (1, 2)


@pytest.mark.parametrize("retired", [False, True])
def test_where_nothing_is_kept_for_the_routers_nothing_is_waited_for(retired):
    only = config() if retired else config(digits=(2,))
    recorded = record(state="LOADING") if retired else record(2)
    observed = announced(
        routed(*recorded.announced, since=6, updated=4.9),
        projections={NAME: projection(2, retired=retired)},
        boot=only,
        live=only,
        records={NAME: recorded},
    )
    assert rollout.step(NAME, observed, mount=MOUNT).until is None


@pytest.mark.parametrize(("updated", "until"), [(4, ago(-1)), (5, None)])
def test_a_moment_that_has_come_is_not_waited_for(updated, until):
    observed = announced(routed(1, 2, since=6, updated=updated))
    assert rollout.step(NAME, observed, mount=MOUNT).until == until
