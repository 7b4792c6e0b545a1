"""Single steps of the rollout in full: what is named, what is recorded, and since when."""

from dataclasses import replace

import pytest

from berth.domain import rollout
from berth.domain.observation import VersionStatus
from berth.domain.shard_status import Quarantine, VersionRecord
from tests.support.shards import AVAILABLE, MOUNT, NAME, NOW, ago, config, projection, record, seen

UNLOADED = VersionStatus("END")
KILLER = Quarantine(reason="ended", transient=True, attempts=1, alone=True)
ONE = projection(1)
GONE = projection(1, retired=True)
LONG_AGO = ago(3600).isoformat()


def step(observed, **more):
    return rollout.step(NAME, observed, mount=MOUNT, **more)


def versions(entry):
    return entry.versions if entry else None


def test_what_no_projection_names_stays_in_both_configs_as_it_is():
    known = record(1).model_copy(update={"document": 3})
    both = seen(boot=config(digits=(1,)), live=config(digits=(1, 2)), records={NAME: known})
    made = step(both)
    assert (versions(made.live), versions(made.boot)) == ((1, 2), (1,))
    reason = "carried forward: no projection names it, and none says that it is retired"
    assert made.record == known.model_copy(update={"reason": reason})
    only_boot = seen(boot=config(digits=(1,)), live=config())
    assert versions(step(only_boot).live) == (1,)
    only_live = seen(boot=config(), live=config(digits=(1,)))
    assert (versions(step(only_live).live), step(only_live).boot) == ((1,), None)


def test_what_is_held_keeps_its_time_and_takes_the_documents_generation():
    serving = seen(
        projections={NAME: projection(1, 2, document=9)},
        boot=config(digits=(1,)),
        live=config(digits=(1,)),
        records={NAME: record(1)},
    )
    held = step(serving, fits=False).record
    assert (held.state, held.document, held.since) == ("SERVING", 9, LONG_AGO)


def test_a_step_takes_the_documents_generation():
    assert step(seen(projections={NAME: projection(1, document=9)})).record.document == 9


@pytest.mark.parametrize(
    ("changes", "live"),
    [
        ({"report": {NAME: {1: AVAILABLE}}}, None),
        ({"report": {NAME: {7: VersionStatus("UNLOADING")}}}, None),
        ({"report": {NAME: {1: UNLOADED}}}, (1,)),
        ({"report": {"acme.other": {1: AVAILABLE}}}, (1,)),
        ({"report": {NAME: {1: AVAILABLE}}, "live": config(digits=(1,))}, (1,)),
        ({"report": {NAME: {1: AVAILABLE}}, "boot": config(digits=(1,))}, (1,)),
        ({"reports": {}}, (1,)),
    ],
    ids=["runs", "unloads", "ended", "another", "named", "named at boot", "silent"],
)
def test_a_name_comes_back_after_every_replica_let_go_of_it(changes, live):
    """One that is told again before is never seen to change, and its reload never ends."""
    assert versions(step(seen(projections={NAME: ONE}, **changes)).live) == live


def test_before_there_is_a_live_config_nothing_has_to_leave():
    observed = seen(projections={NAME: ONE}, report={NAME: {1: AVAILABLE}})
    assert versions(step(replace(observed, live=None)).live) == (1,)
    first = step(replace(observed, live=None, boot=None))
    assert (versions(first.live), first.boot) == ((1,), None)


def test_a_servable_without_a_record_never_says_again_what_it_said_before():
    observed = seen(projections={NAME: ONE}, status_generation=8)
    assert step(observed).record.said == 8


@pytest.mark.parametrize(("seconds", "kept"), [(600, {1}), (601, set())])
def test_what_a_version_did_is_forgotten_when_it_has_served_for_long_enough(seconds, kept):
    tried = KILLER.model_copy(update={"active": False})
    served = VersionRecord(state="SERVING", since=ago(seconds).isoformat())
    observed = seen(
        projections={NAME: ONE},
        boot=config(digits=(1,)),
        live=config(digits=(1,)),
        records={NAME: record(1, versions={1: served}, quarantined={1: tried})},
        report={NAME: {1: AVAILABLE}},
    )
    assert set(step(observed).record.quarantined) == kept


def test_a_version_that_ends_servers_leaves_every_config_at_once():
    only = seen(
        projections={NAME: ONE},
        boot=config(digits=(1,)),
        live=config(digits=(1,)),
        records={NAME: record(1)},
        report={NAME: {1: AVAILABLE}},
    )
    made = step(only, killers={1: KILLER})
    assert (made.live, made.boot, made.record.announced) == (None, None, ())
    assert made.record.quarantined == {1: KILLER}
    held = step(only, killers={1: KILLER}, fits=False)
    assert (held.live, held.boot, held.record.announced) == (None, None, ())
    assert held.record.state == "PENDING"


def test_of_two_versions_only_the_one_that_ends_servers_leaves():
    both = seen(
        projections={NAME: projection(1, 2)},
        boot=config(digits=(1, 2)),
        live=config(digits=(1, 2)),
        records={NAME: record(1, 2)},
        report={NAME: {1: AVAILABLE, 2: AVAILABLE}},
    )
    made = step(both, killers={2: KILLER})
    assert (versions(made.live), versions(made.boot), made.record.announced) == ((1,), (1,), (1,))


def leaving(**changes):
    given = {"projections": {NAME: GONE}, "boot": config(), "live": config()}
    known = record(state="LOADING", versions={1: VersionRecord(state="SERVING")})
    held = known.model_copy(update={"quarantined": {1: KILLER}})
    return seen(**{**given, "records": {NAME: held}, **changes})


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"report": {NAME: {1: UNLOADED}}}, "RETIRED"),
        ({"report": {}}, "RETIRED"),
        ({"report": {NAME: {1: AVAILABLE}}}, "LOADING"),
        ({"report": {NAME: {1: UNLOADED}}, "live": config(digits=(1,))}, "LOADING"),
        ({"report": {NAME: {1: UNLOADED}}, "boot": config(digits=(1,))}, "LOADING"),
        ({"report": {NAME: {1: UNLOADED}}, "untold": ("p2",), "boot": config(1)}, "LOADING"),
    ],
    ids=["ended", "forgotten", "runs", "in the live config", "in the boot config", "not told"],
)
def test_retired_is_what_no_config_names_and_no_replica_runs(changes, state):
    made = step(leaving(**changes)).record
    assert made.state == state
    assert made.reason == ("" if state == "RETIRED" else "leaving the replicas")
    assert (made.announced, made.versions, made.quarantined) == ((), {}, {})
    assert made.document == GONE.document
    assert made.since == (LONG_AGO if state == "LOADING" else NOW.isoformat())


def test_a_retired_record_takes_the_documents_generation():
    later = {NAME: projection(1, retired=True, document=9)}
    assert step(leaving(projections=later)).record.document == 9
