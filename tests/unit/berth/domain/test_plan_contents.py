"""What the actions of a plan carry: the bytes, the tokens they are written with, and what is said and why."""

from dataclasses import replace

import pytest

from berth.domain import plan, serving_config
from berth.domain.model_events import ModelEvent
from berth.domain.observation import Exit, VersionStatus
from berth.domain.shard_status import Quarantine, Told
from tests.support.shards import AVAILABLE, NAME, ago, config, look, pod, projection, record, seen

HELD = Quarantine(reason="corrupt", transient=False, attempts=1)
BROKEN = VersionStatus("END", 3, "corrupt")


def actions(observed, kind):
    return [a for a in look(observed).actions if isinstance(a, kind)]


def rollout(**more):
    """Version 1 serves, version 2 was admitted; the configs have generations of their own."""
    given = {
        "projections": {NAME: projection(1, 2)},
        "boot": config(3600, 4, digits=(1,)),
        "live": config(3600, 5, digits=(1,)),
        "records": {NAME: record(1, said=6)},
        "report": {NAME: {1: AVAILABLE}},
    }
    return seen(**{**given, **more})


def bootable(**more):
    both = {NAME: {1: AVAILABLE, 2: AVAILABLE}}
    given = {"boot": config(3600, 4, digits=(1, 2)), "live": config(3600, 5, digits=(1, 2))}
    return rollout(**{"report": both, **given, **more})


def said(observed):
    return [announce.event for announce in actions(observed, plan.Announce)]


def event(kind, version, reason="", servable=NAME, revision="6"):
    return ModelEvent(kind, servable, version, reason=reason, shard="shard-0", revision=revision)


def test_a_config_is_written_over_the_one_that_was_read():
    (write,) = actions(rollout(), plan.WriteLive)
    assert write == plan.WriteLive(config(digits=(1, 2)).text, 5)
    loaded = {"live": config(3600, 5, digits=(1, 2)), "report": bootable().reports["u1/0"]}
    (write,) = actions(rollout(**loaded), plan.WriteBoot)
    assert write == plan.WriteBoot(config(digits=(1, 2)).text, 4)


def test_the_first_configs_are_written_where_there_are_none():
    empty = replace(seen(), boot=None, live=None)
    nothing = serving_config.render({})
    assert actions(empty, plan.WriteBoot) == [plan.WriteBoot(nothing, 0)]
    assert actions(empty, plan.WriteLive) == [plan.WriteLive(nothing, 0)]


def test_a_push_carries_what_was_written_before_it():
    (push,) = actions(rollout(), plan.Push)
    assert push == plan.Push(pod(1), config(digits=(1, 2)).text)


def test_a_replica_is_told_again_what_is_stored():
    observed = bootable(untold=("p2",))
    older = {"u2/0": Told(digest="old", at=ago(60).isoformat(), drifts=1)}
    pushes = actions(replace(observed, told={**observed.told, **older}), plan.Push)
    assert pushes == [plan.Push(pod(2), observed.live.text, 1)]
    unknown = bootable(untold=("p2",), pods=(pod(1), pod(2, started=4000)))
    pushes = actions(unknown, plan.Push)
    assert pushes == [plan.Push(pod(2, started=4000), unknown.live.text)]


def test_a_takeover_says_what_serves_and_what_is_retired():
    observed = bootable()
    assert said(observed) == [event("serving", 2), event("retired", 1)]
    (write,) = actions(observed, plan.WriteStatus)
    assert write.status.models[NAME].said == 7
    assert write.if_generation == 3


def test_a_quarantine_is_said_once_with_its_reason():
    broken = {NAME: {1: AVAILABLE, 2: BROKEN}}
    observed = bootable(report=broken, boot=config(3600, 4, digits=(1,)))
    reason = "failed to load on a replica: corrupt"
    assert said(observed) == [event("quarantined", 2, reason)]
    held = record(1, said=6, quarantined={2: HELD})
    assert said(rollout(report=broken, records={NAME: held})) == []
    tried = record(1, said=6, quarantined={2: HELD.model_copy(update={"active": False})})
    assert said(replace(observed, status=rollout(records={NAME: tried}).status)) == [
        event("quarantined", 2, reason)
    ]


def test_of_several_quarantines_only_the_new_one_is_said():
    held = record(1, said=6, quarantined={3: HELD})
    broken = {NAME: {1: AVAILABLE, 2: BROKEN}}
    observed = bootable(
        projections={NAME: projection(1, 2, 3)}, report=broken, records={NAME: held}
    )
    assert [(e.kind, e.version) for e in said(observed)] == [("quarantined", 2)]


def test_what_serves_after_it_was_tried_again_is_said_without_the_old_reason():
    tried = HELD.model_copy(update={"active": False})
    observed = bootable(records={NAME: record(1, said=6, quarantined={2: tried})})
    assert said(observed) == [event("serving", 2), event("retired", 1)]


def test_a_servable_of_which_nothing_is_new_counts_nothing():
    other = "acme.other"
    observed = bootable(
        projections={NAME: projection(1, 2), other: projection(1)},
        records={NAME: record(1, said=6), other: record(1, said=9)},
    )
    (write,) = actions(observed, plan.WriteStatus)
    assert write.status.models[other].said == 9


def test_the_first_announcement_of_a_servable_is_said():
    first = {"boot": config(digits=(1,)), "live": config(digits=(1,))}
    lost = rollout(projections={NAME: projection(1)}, records={}, **first)
    assert said(lost) == [event("serving", 1, revision="3")]


def in_vain(live_age, *, seconds, **more):
    """Both replicas' last push did not end; the slowest model loads for so many seconds."""
    known = projection(1)
    slow = {n: f.model_copy(update={"load_seconds": seconds}) for n, f in known.versions.items()}
    only = config(live_age, 5, digits=(1,))
    given = {"projections": {NAME: known.model_copy(update={"versions": slow})}, "boot": config()}
    observed = rollout(**{**given, "live": only, **more})
    vain = {p.key: Told(digest="", at=ago(1).isoformat()) for p in observed.workload.pods}
    return replace(observed, told=vain)


@pytest.mark.parametrize(
    ("live_age", "seconds", "late"),
    [(120, 0, False), (121, 0, True), (150, 3, False), (151, 3, True)],
)
def test_patience_is_two_minutes_and_ten_times_the_slowest_load(live_age, seconds, late):
    replaced = actions(in_vain(live_age, seconds=seconds), plan.ReplacePod)
    reason = "its server did not take the live config in time"
    assert replaced == ([plan.ReplacePod(pod(1), reason)] if late else [])


def test_where_no_size_is_known_patience_is_two_minutes():
    unknown = {"projections": {}, "seconds": 0}
    assert not actions(in_vain(120, **unknown), plan.ReplacePod)
    assert actions(in_vain(121, **unknown), plan.ReplacePod)


def test_a_push_without_an_end_is_remembered_at_once():
    observed = rollout(live=config(60, 5, digits=(1,)))
    unsettled = {"u1/0": Told(digest="", at=ago(1).isoformat())}
    observed = replace(observed, told={**observed.told, **unsettled})
    (write,) = actions(observed, plan.WriteStatus)
    assert write.status.told == observed.told
    again = replace(observed, status=write.status)
    assert actions(again, plan.WriteStatus) == []
    assert actions(again, plan.Push)


def test_the_status_tells_of_starting_replicas_and_of_the_ordered_restart():
    starting = replace(pod(2, ready=False), started_at=None, reason="Pending")
    shard = seen().shard.model_copy(update={"restart_at": "2026-01-01T11:00:00+00:00"})
    (write,) = actions(seen(pods=(pod(1), starting), shard=shard), plan.WriteStatus)
    assert [(r.name, r.started_at, r.reason) for r in write.status.replicas] == [
        ("p1", ago(600).isoformat(), ""),
        ("p2", "", "Pending"),
    ]
    assert write.status.restart_at == shard.restart_at


@pytest.mark.parametrize("others", [(pod(2),), (pod(2), pod(3, started=4000))])
def test_what_ended_a_server_is_withdrawn_and_nobody_is_told_of_it_any_more(others):
    """Not even a replica that was told nothing yet, and could be told the stored config first."""
    ended = Exit(139, "Error", ago(30))
    dead = pod(1, ready=False, restarts=1, exit=ended)
    live = config(60, 5, digits=(1, 2))
    observed = rollout(live=live, pods=(dead, *others), untold=("p2", "p3"))
    pushed = Told(digest=live.digest, at=ago(60).isoformat())
    observed = replace(observed, told={"u1/0": pushed})
    assert actions(observed, plan.WriteLive) == [plan.WriteLive(config(digits=(1,)).text, 5)]
    text = config(digits=(1,)).text
    assert actions(observed, plan.Push) == [plan.Push(other, text) for other in others]
    (write,) = actions(observed, plan.WriteStatus)
    assert write.status.deaths == (f"u1/{ended.at.isoformat()}",)
    assert write.status.models[NAME].quarantined[2].alone
    assert [(e.kind, e.version) for e in said(observed)] == [("quarantined", 2)]
