"""Of the loads that a shard's servables want, which begin, and what is recorded of those that wait."""

from dataclasses import replace

import pytest

from berth.domain import rollout, turns
from berth.domain.batches import BATCH
from berth.domain.shard_status import Quarantine, VersionRecord
from tests.support.shards import AVAILABLE, MOUNT, ago, config, projection, record, seen

SUSPECT = Quarantine(reason="r", transient=True, attempts=1, active=False, alone=True)
HICCUP = SUSPECT.model_copy(update={"alone": False})
ACCUSED = SUSPECT.model_copy(update={"active": True})


def model(name, *versions, seconds=0.1):
    made = projection(*versions)
    known = {n: f.model_copy(update={"load_seconds": seconds}) for n, f in made.versions.items()}
    return made.model_copy(update={"base_path": f"acme/{name}", "versions": known})


def shard(models, **more):
    """A shard whose models are given by name, as (versions, seconds to load)."""
    known = {f"acme.{n}": model(n, *versions, seconds=s) for n, (versions, s) in models.items()}
    records = {f"acme.{n}": r for n, r in more.pop("records", {}).items()}
    return seen(projections=known, records=records, **more)


def taken(observed, killers=None):
    names = sorted({*observed.projections, *observed.live.entries})
    steps = {
        name: rollout.step(name, observed, mount=MOUNT, killers=(killers or {}).get(name))
        for name in names
    }
    return turns.taken(steps, observed)


def told(steps):
    return {n.removeprefix("acme."): s.live.versions for n, s in steps.items() if s.live}


def test_quick_loads_begin_and_a_slow_one_is_pending_and_says_why():
    steps = taken(shard({"big": ((1,), 60), "small": ((1,), 1)}))
    assert told(steps) == {"small": (1,)}
    big = steps["acme.big"]
    assert big.live is None
    assert (big.record.state, big.record.reason) == ("PENDING", turns.WAITS)
    assert big.record.versions == {1: VersionRecord(state="PENDING", reason=turns.WAITS)}
    assert steps["acme.small"].record.state == "LOADING"


def test_what_serves_goes_on_while_its_next_version_waits():
    serving = config(big=(1,))
    old = record(1, versions={1: VersionRecord(state="SERVING", since="2026-01-01T10:00:00+00:00")})
    observed = shard(
        {"big": ((1, 2), 60), "small": ((1,), 1)},
        records={"big": old},
        boot=serving,
        live=serving,
        report={"acme.big": {1: AVAILABLE}},
    )
    steps = taken(observed)
    assert told(steps) == {"big": (1,), "small": (1,)}
    big = steps["acme.big"]
    assert big.live.base_path == serving.entries["acme.big"].base_path
    assert big.boot == serving.entries["acme.big"]
    assert (big.record.state, big.record.reason) == ("SERVING", turns.WAITS)
    assert big.record.since == old.since
    assert big.record.announced == (1,)
    assert big.record.versions == {
        1: VersionRecord(state="SERVING", replicas=2, since="2026-01-01T10:00:00+00:00"),
        2: VersionRecord(state="PENDING", reason=turns.WAITS),
    }


def test_a_shard_without_a_live_config_begins_its_loads():
    observed = replace(shard({"big": ((1,), 60), "small": ((1,), 1)}), live=None)
    steps = {n: rollout.step(n, observed, mount=MOUNT) for n in sorted(observed.projections)}
    assert told(turns.taken(steps, observed)) == {"small": (1,)}


def test_of_two_versions_that_are_wanted_only_the_new_one_has_to_wait():
    both = shard({"big": ((1, 2), 60), "small": ((1,), 1)}, live=config(big=(1,)))
    kept = {n: p.model_copy(update={"keep": 2}) for n, p in both.projections.items()}
    assert told(taken(replace(both, projections=kept))) == {"big": (1,), "small": (1,)}


def test_what_replaces_all_of_a_servable_does_not_wait():
    """To take a name away and to bring it back may hold a reload for ever."""
    observed = shard({"big": ((2,), 60), "small": ((1,), 1)}, live=config(big=(1,)))
    assert told(taken(observed)) == {"big": (2,), "small": (1,)}


def test_a_slow_load_has_its_turn_when_it_waited_for_long():
    def told_after(seconds):
        since = record(state="PENDING").model_copy(update={"since": ago(seconds).isoformat()})
        models = {"big": ((1,), 60), "small": ((1,), 1)}
        waits = since.model_copy(update={"state": "LOADING"})
        return told(taken(shard(models, records={"big": waits})))

    assert told_after(240) == {"small": (1,)}
    assert told_after(241) == {"big": (1,)}


def test_slow_loads_under_way_are_counted():
    models = {name: ((1,), 60) for name in "abc"}
    assert told(taken(shard(models))) == {"a": (1,), "b": (1,)}
    assert told(taken(shard(models, live=config(b=(1,), c=(1,))))) == {"b": (1,), "c": (1,)}
    assert told(taken(shard(models, live=config(c=(1,))))) == {"a": (1,), "c": (1,)}


def test_what_is_loaded_and_on_its_way_into_the_boot_config_holds_nothing_up():
    observed = shard(
        {name: ((1,), 60) for name in "abc"},
        live=config(b=(1,), c=(1,)),
        report={f"acme.{n}": {1: AVAILABLE} for n in "bc"},
    )
    assert told(taken(observed)) == {"a": (1,), "b": (1,), "c": (1,)}


def suspects(*names, **more):
    return shard(
        {n: ((1,), 1) for n in names},
        records={n: record(state="PENDING", quarantined={1: SUSPECT}) for n in names},
        **more,
    )


def test_a_suspect_loads_alone():
    assert told(taken(suspects("x", "y"))) == {"x": (1,)}
    assert told(taken(suspects("x", "y", live=config(y=(1,))))) == {"y": (1,)}
    mixed = suspects("x")
    small = {"acme.small": model("small", 1)}
    assert told(taken(replace(mixed, projections=mixed.projections | small))) == {"small": (1,)}


def test_a_version_that_only_failed_to_load_is_no_suspect():
    held = record(state="PENDING", quarantined={1: HICCUP})
    observed = shard({"x": ((1,), 1), "y": ((1,), 1)}, records={"x": held, "y": held})
    assert told(taken(observed)) == {"x": (1,), "y": (1,)}


def test_a_suspect_that_is_being_withdrawn_holds_nothing_up():
    observed = shard({"x": ((1,), 1), "a": ((1,), 1)}, live=config(x=(1,)))
    assert told(taken(observed, {"acme.x": {1: ACCUSED}})) == {"a": (1,)}


@pytest.mark.parametrize(
    ("since", "held", "expected"),
    [
        (59, {1: SUSPECT}, {"t": (1,)}),
        (60, {1: SUSPECT}, {"t": (1,), "x": (1,)}),
        (59, {1: HICCUP}, {"t": (1,), "x": (1,)}),
        (59, {}, {"t": (1,), "x": (1,)}),
        (None, {1: SUSPECT}, {"t": (1,), "x": (1,)}),
    ],
)
def test_a_suspect_waits_for_the_trial_of_the_one_announced_before_it(since, held, expected):
    at = ago(since).isoformat() if since is not None else ""
    trial = record(1, versions={1: VersionRecord(state="SERVING", since=at)}, quarantined=held)
    serving = config(t=(1,))
    observed = suspects("x", boot=serving, live=serving)
    observed = replace(
        observed,
        projections=observed.projections | {"acme.t": model("t", 1)},
        status=observed.status.model_copy(
            update={"models": {**observed.status.models, "acme.t": trial}}
        ),
        reports={key: {"acme.t": {1: AVAILABLE}} for key in observed.reports},
    )
    assert told(taken(observed)) == expected


def test_what_no_projection_names_loads_as_a_quick_one():
    """Its boot config was lost: the live one still names it."""
    slow = {name: ((1,), 60) for name in "ab"}
    observed = shard(slow, live=config(lost=(1,)))
    assert told(taken(observed)) == {"a": (1,), "b": (1,), "lost": (1,)}


def test_what_serves_from_the_boot_config_alone_goes_before_the_quick_ones():
    """The live config lost it, and no projection tells how long it loads."""
    quick = {f"m{n:02}": ((1,), 0.5) for n in range(BATCH)}
    observed = shard(quick, boot=config(lost=(1,)))
    steps = {
        name: rollout.step(name, observed, mount=MOUNT)
        for name in (*observed.projections, "acme.lost")
    }
    assert set(told(turns.taken(steps, observed))) == {"lost", *list(quick)[:-1]}


def test_while_another_version_of_it_loads_a_servable_is_loading():
    models = {"m": ((1, 2), 60), "other": ((1,), 60), "small": ((1,), 1)}
    observed = shard(models, live=config(m=(1,), other=(1,)))
    kept = observed.projections["acme.m"].model_copy(update={"keep": 2})
    steps = taken(replace(observed, projections=observed.projections | {"acme.m": kept}))
    assert told(steps) == {"m": (1,), "other": (1,), "small": (1,)}
    record_ = steps["acme.m"].record
    assert (record_.state, record_.reason) == ("LOADING", turns.WAITS)
    assert (record_.versions[1].state, record_.versions[2].state) == ("LOADING", "PENDING")


def test_a_suspect_waits_for_the_one_that_is_about_to_be_announced():
    loaded = config(x=(1,))
    observed = suspects("x", "y", boot=loaded, live=loaded)
    assert told(taken(observed)) == {"x": (1,)}
    before = config(x=(2,))  # another version, which the suspect replaces
    assert told(taken(suspects("x", "y", boot=before, live=before))) == {"x": (1,), "y": (1,)}


def test_before_there_is_a_live_config_no_suspect_is_on_trial():
    observed = replace(suspects("x", "y"), live=None)
    steps = {n: rollout.step(n, observed, mount=MOUNT) for n in sorted(observed.projections)}
    assert told(turns.taken(steps, observed)) == {"x": (1,)}


def test_a_suspect_of_which_nothing_is_recorded_is_on_no_trial():
    serving = config(t=(1,))
    observed = suspects("x", boot=serving, live=serving)
    lost = record(1, quarantined={1: SUSPECT})
    models = {**observed.status.models, "acme.t": lost}
    observed = replace(observed, status=observed.status.model_copy(update={"models": models}))
    assert told(taken(observed)) == {"t": (1,), "x": (1,)}
