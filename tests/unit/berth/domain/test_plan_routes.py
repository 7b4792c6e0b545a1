"""What a look at a shard tells the routers, and who tells what of a model that moves."""

from dataclasses import replace

import pytest

from berth.domain import plan
from berth.domain.model_events import ModelEvent
from berth.domain.routing import ShardRoutes, StoredRoutes
from berth.domain.shard_status import Quarantine
from tests.support.shards import AVAILABLE, NAME, ago, config, look, projection, record, seen

OTHER = "acme.other"


def shard(**more):
    """Version 2 is ready to take over from version 1, which the routes name."""
    both = config(digits=(1, 2))
    given = {
        "projections": {NAME: projection(1, 2)},
        "boot": both,
        "live": both,
        "records": {NAME: record(1, said=6)},
        "report": {NAME: {1: AVAILABLE, 2: AVAILABLE}},
    }
    return seen(**{**given, **more})


def idle(**more):
    """Version 2 alone serves, and the routes say so."""
    only = config(digits=(2,))
    given = {"boot": only, "live": only, "records": {NAME: record(2, said=6)}}
    return shard(**{**given, "report": {NAME: {2: AVAILABLE}}, **more})


def outdated(observed):
    """The same shard, whose routes were made from an older document: nothing a router must know at once."""
    known = observed.routes.routes
    models = {name: r.model_copy(update={"document": 1}) for name, r in known.models.items()}
    stored = replace(observed.routes, routes=ShardRoutes(shard=known.shard, models=models))
    return replace(observed, routes=stored)


def written(observed, kind=plan.WriteRoutes):
    return [a for a in look(observed).actions if isinstance(a, kind)]


@pytest.mark.parametrize(("stored", "generation"), [(None, 0), (StoredRoutes(None, 9, ago(60)), 9)])
def test_routes_are_written_over_what_was_read(stored, generation):
    (write,) = written(replace(shard(), routes=stored))
    assert write.if_generation == generation
    assert write.routes.shard == "shard-0"
    assert write.routes.models[NAME].versions == (2,)


def test_what_routers_need_not_know_at_once_is_written_when_the_shard_is_idle():
    (write,) = written(outdated(idle()))
    assert (write.routes.models[NAME].document, write.if_generation) == (7, 5)
    assert written(idle()) == []


def test_it_waits_while_something_is_done():
    pushing = outdated(idle(untold=("p2",), told_ago=3700))
    made = look(replace(pushing, boot=config(digits=(1, 2))))
    assert made.actions
    assert made.open == ()
    assert not [a for a in made.actions if isinstance(a, plan.WriteRoutes)]


def test_it_waits_while_a_version_is_loading():
    loading = outdated(shard(boot=config(digits=(1,)), report={NAME: {1: AVAILABLE}}))
    made = look(loading)
    assert made.open == (NAME,)
    assert [type(a) for a in made.actions] == [plan.WriteStatus]


def event(kind, version):
    return ModelEvent(kind, NAME, version, reason="", shard="shard-0", revision="6")


def said(observed):
    return [announce.event for announce in written(observed, plan.Announce)]


def told(*announced, elsewhere=False, **more):
    return {NAME: record(*announced, said=6, elsewhere=elsewhere, **more)}


def test_the_target_of_a_move_says_nothing_until_it_is_the_home():
    arriving = projection(2, arriving=True)
    arrived = shard(projections={NAME: arriving}, records=told(1, elsewhere=True))
    assert said(arrived) == []
    assert said(replace(arrived, projections={NAME: projection(2)})) == [
        event("serving", 2),
        event("retired", 1),
    ]


def test_what_a_target_serves_already_is_said_when_it_becomes_the_home():
    home = idle(records=told(2, elsewhere=True))
    assert said(home) == [event("serving", 2)]


@pytest.mark.parametrize(
    ("kept", "retired"), [((1, 2), []), ((2,), [1]), ((3,), [1, 2])], ids=["all", "one", "none"]
)
def test_the_home_that_is_left_tells_only_of_what_nobody_serves_any_more(kept, retired):
    left = projection(*kept, keep=2, retired=True, leaving=True)
    leaving = shard(projections={NAME: left}, records=told(1, 2))
    assert said(leaving) == [event("retired", n) for n in retired]


def test_what_was_quarantined_where_it_is_left_counts_as_served_by_nobody():
    held = {2: Quarantine(reason="b", transient=False, attempts=1)}
    left = projection(1, 2, keep=2, retired=True, leaving=True)
    leaving = shard(projections={NAME: left}, records=told(1, 2, quarantined=held))
    assert said(leaving) == [event("retired", 2)]


def test_what_a_target_announced_is_remembered_though_nothing_is_said_of_it():
    """Beside another model's config write: else the next look would turn back."""
    arrived = shard(
        projections={NAME: projection(1, 2, arriving=True), OTHER: projection(1)},
        records=told(1, elsewhere=True),
    )
    made = look(arrived)
    assert not [a for a in made.actions if isinstance(a, plan.Announce)]
    assert [a for a in made.actions if isinstance(a, plan.WriteLive)]
    (write,) = [a for a in made.actions if isinstance(a, plan.WriteStatus)]
    assert write.status.models[NAME].announced == (2,)
