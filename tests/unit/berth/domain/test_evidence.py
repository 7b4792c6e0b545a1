"""Evidence: what speaks against a run of a server, what does not, and how long it is held against it."""

from dataclasses import replace

import pytest

from berth.domain import evidence
from berth.domain.observation import VersionStatus
from berth.domain.plan import Push, WriteStatus
from berth.domain.shard_status import Quarantine, ReplicaStatus, ShardStatus, Told
from tests.support.shards import AVAILABLE, NAME, ago, config, look, pod, projection, record, seen
from tests.support.world_parts import MIB

GONE = VersionStatus("END")
BROKEN = VersionStatus("END", 13, "Input/output error")
KEY, OTHER = "u1/0", "u2/0"


def serving(**changes):
    """digits/1 serves and needs 410 MiB, the server's own included, of 2048."""
    given = {
        "projections": {NAME: projection(1)},
        "boot": config(digits=(1,)),
        "live": config(digits=(1,)),
        "records": {NAME: record(1)},
        "report": {NAME: {1: AVAILABLE}},
    }
    return seen(**{**given, **changes})


def found(observed):
    return evidence.found(observed, observed.status.models)


def holding(used, **changes):
    return serving(usage={KEY: used * MIB}, **changes)


def test_a_server_far_above_its_models_sum_is_told_of_with_the_figures():
    against = found(holding(1077))
    assert against == {KEY: "memory: 1077 MiB held, its models need 410 MiB"}


MODEST = {
    "at the bound": holding(1076),
    "not known": serving(),
    "a rollout is open": holding(2000, records={NAME: record(1, state="LOADING")}),
    "it does not run the live config yet": holding(
        2000, untold=("p1",), pods=(pod(1, started=4000), pod(2))
    ),
    "a model of unknown size": holding(
        2000, live=config(digits=(1,), other=(1,)), records={NAME: record(1)}
    ),
    "a version of unknown size": holding(2000, live=config(digits=(1, 2))),
    "it is being removed": holding(2000, pods=(pod(1, terminating=True), pod(2))),
}


@pytest.mark.parametrize("observed", MODEST.values(), ids=MODEST)
def test_memory_that_is_no_evidence(observed):
    assert found(observed) == {}


@pytest.mark.parametrize(
    ("needed", "limit", "bound"),
    [
        (410, 4096, 2 * 410 + 256),
        (1200, 2048, int(0.9 * 2048 * MIB) / MIB),  # twice as much would be killed before
        (1900, 2048, 1.25 * 1900),  # a full shard: a restart would free nothing
    ],
)
def test_the_bound_is_twice_the_need_but_below_the_limit_where_that_helps(needed, limit, bound):
    assert evidence.bound(needed * MIB, limit * MIB) == int(bound * MIB)


def with_replica(observed, text, key=KEY):
    replica = ReplicaStatus(
        name="p1", key=key, address="", ready=True, started_at="", reason="", evidence=text
    )
    return replace(observed, status=observed.status.model_copy(update={"replicas": (replica,)}))


def test_evidence_stays_with_the_run_in_its_first_words():
    words = "memory: 1500 MiB held, its models need 410 MiB"
    assert found(with_replica(holding(1600), words)) == {KEY: words}
    assert found(with_replica(holding(100), words)) == {KEY: words}


def test_evidence_goes_with_the_run():
    assert found(with_replica(serving(), "memory: much", key="u1/7")) == {}


def test_an_unchanged_evidence_writes_nothing():
    plan = look(holding(1500))
    (write,) = plan.actions
    assert isinstance(write, WriteStatus)
    assert write.status.summary("s").evidence == ("memory",)
    again = replace(holding(1700), status=write.status)
    assert look(again).actions == ()


def drifted(drifts):
    """A replica that was told, took it, and serves what nobody told it."""
    strange = {NAME: {1: AVAILABLE, 9: AVAILABLE}}
    observed = serving(report=strange, told_ago=120, pods=(pod(1),))
    told = {KEY: observed.told[KEY].model_copy(update={"drifts": drifts})}
    return replace(observed, told=told)


@pytest.mark.parametrize("drifts", [0, 1])
def test_a_drifted_replica_is_told_again_and_that_is_counted(drifts):
    observed = drifted(drifts)
    pushes = [a for a in look(observed).actions if isinstance(a, Push)]
    assert [push.drifts for push in pushes] == [drifts + 1]
    assert found(observed) == {}


def test_who_drifts_again_after_it_was_told_again_is_told_of():
    assert found(drifted(2)) == {
        KEY: "drifted: it ran another config than it was told, and did so again"
    }


def test_a_replica_that_was_not_reached_is_not_counted_as_drifted():
    observed = serving(pods=(pod(1, started=10), pod(2, started=10)))
    told = {
        key: Told(digest="", at=ago(5).isoformat(), drifts=drifts)
        for key, drifts in ((KEY, 1), (OTHER, 0))
    }
    pushes = look(replace(observed, told=told)).actions
    assert sorted(p.drifts for p in pushes if isinstance(p, Push)) == [0, 1]


EXHAUSTED = Quarantine(reason="r", transient=True, attempts=3)


def quarantined(held, first, second, **changes):
    """Version 2 is quarantined; what each of two replicas says of it."""
    observed = serving(records={NAME: record(1, quarantined={2: held})}, **changes)
    said = {KEY: first, OTHER: second}
    reports = {
        key: {NAME: {1: AVAILABLE} | ({2: status} if status else {})}
        for key, status in said.items()
        if key in observed.reports
    }
    return replace(observed, reports=reports)


def weighed(observed):
    return evidence.weighed(observed, observed.status.models)[NAME].quarantined[2]


@pytest.mark.parametrize("elsewhere", [AVAILABLE, GONE])
def test_a_replica_that_alone_cannot_load_a_version_is_the_suspect(elsewhere):
    observed = quarantined(EXHAUSTED, BROKEN, elsewhere)
    held = weighed(observed)
    assert held.suspects == (KEY,)
    records = evidence.weighed(observed, observed.status.models)
    assert evidence.found(observed, records) == {
        KEY: f"stuck: {NAME} version 2 ends in error here and loads elsewhere"
    }


TRIED = EXHAUSTED.model_copy(update={"attempts": 2})
MODEL = {
    "both failed": (EXHAUSTED, BROKEN, BROKEN),
    "nobody loaded it": (EXHAUSTED, BROKEN, None),
    "nobody says anything": (EXHAUSTED, None, None),
    "it is still tried": (TRIED, BROKEN, AVAILABLE),
    "it is no transient error": (
        EXHAUSTED.model_copy(update={"transient": False}),
        BROKEN,
        AVAILABLE,
    ),
    "it is not held": (EXHAUSTED.model_copy(update={"active": False}), BROKEN, AVAILABLE),
    "it had its fresh round": (
        EXHAUSTED.model_copy(update={"retried": True}),
        BROKEN,
        AVAILABLE,
    ),
}


@pytest.mark.parametrize("given", MODEL.values(), ids=MODEL)
def test_no_replica_is_suspected(given):
    assert weighed(quarantined(*given)) == given[0]


def test_a_silent_replica_makes_no_suspects():
    observed = quarantined(EXHAUSTED, BROKEN, AVAILABLE)
    silent = {key: said for key, said in observed.reports.items() if key == KEY}
    assert weighed(replace(observed, reports=silent)).suspects == ()


def test_the_version_gets_one_fresh_round_when_the_suspect_is_gone():
    held = EXHAUSTED.model_copy(update={"suspects": ("gone/0",)})
    fresh = weighed(quarantined(held, None, GONE))
    assert (fresh.active, fresh.attempts, fresh.suspects, fresh.retried) == (False, 0, (), True)


def test_the_version_waits_while_a_suspect_runs():
    held = EXHAUSTED.model_copy(update={"suspects": (KEY, "gone/0")})
    assert weighed(quarantined(held, BROKEN, GONE)) == held


def test_a_fleet_listing_knows_the_kinds():
    replicas = with_replica(serving(), "stuck: a").status.replicas
    more = replicas[0].model_copy(update={"evidence": "memory: b"})
    status = ShardStatus(replicas=(*replicas, more, more))
    assert status.summary("s").evidence == ("memory", "stuck")


def test_a_fresh_round_is_remembered_by_the_quarantine_that_follows_it():
    """The version ended in error again: its record is new, and its round is spent."""
    retried = EXHAUSTED.model_copy(update={"retried": True, "active": False})
    observed = quarantined(retried, BROKEN, AVAILABLE)
    assert evidence.weighed(observed, {NAME: record(1, quarantined={2: EXHAUSTED})}) == {
        NAME: record(1, quarantined={2: EXHAUSTED.model_copy(update={"retried": True})})
    }


def test_a_servable_that_no_status_tells_of_had_no_round():
    observed = replace(quarantined(EXHAUSTED, BROKEN, BROKEN), status=ShardStatus())
    records = {NAME: record(1, quarantined={2: EXHAUSTED}), "acme.other": record(1)}
    assert evidence.weighed(observed, records) == records


def test_a_replica_that_knows_nothing_of_a_servable_is_no_suspect():
    observed = quarantined(EXHAUSTED, BROKEN, AVAILABLE, pods=(pod(1), pod(2), pod(3)))
    observed = replace(observed, reports={**observed.reports, "u3/0": {}})
    assert weighed(observed).suspects == (KEY,)


def test_a_shard_without_a_live_config_needs_what_an_empty_server_does():
    needed = evidence.needed_bytes(replace(serving(), live=None))
    assert needed == evidence.needed_bytes(serving(live=config())) == 400 * MIB
