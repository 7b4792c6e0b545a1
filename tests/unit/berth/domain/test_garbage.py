"""What may go, and what holds it back, as pure decisions."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from berth.domain import admission, garbage, lease
from berth.domain.documents import (
    Admission,
    AdmittedVersion,
    Customer,
    Footprint,
    Model,
    Policy,
    Verdict,
    Wants,
)
from berth.domain.garbage import ShardView
from berth.domain.manifest import Manifest, ManifestFile
from berth.domain.names import ModelName, VersionName
from berth.domain.serving_config import Entry
from berth.domain.shard_status import (
    ModelRecord,
    ReplicaStatus,
    ShardStatus,
    Told,
    VersionRecord,
)

NOW = datetime(2026, 3, 10, tzinfo=UTC)
POLICY = Policy()
ONE = VersionName(ModelName("acme", "digits"), 1)
FOOTPRINT = Footprint(resident_bytes=1, peak_bytes=1, load_seconds=0)


def ago(**span):
    return (NOW - timedelta(**span)).isoformat()


def model(**wants):
    admitted = AdmittedVersion(digest="d", footprint=FOOTPRINT, admitted_at=ago(days=30))
    return Model(
        customer="acme",
        model="digits",
        base_path="acme/digits",
        versions={1: admitted, 2: admitted},
        wants=Wants(**wants),
        shard="shard-0",
    )


def account(state="closed", at=None, erased=False):
    return Customer(
        erased_revision=(at or ago(days=8)) if erased else "",
        customer="acme",
        plan="free",
        plan_revision="",
        state=state,
        state_revision=at or ago(days=8),
        home_shard="shard-0",
    )


def left(document, owner=None):
    after = garbage.shortened(document, owner or account("active"), policy=POLICY, now=NOW)
    return set(after.versions)


def test_a_deletion_is_kept_for_a_day():
    assert left(model(deleted_versions={2: ago(hours=23)})) == {1, 2}
    assert left(model(deleted_versions={2: ago(days=1)})) == {1}
    assert left(model(deleted_revision=ago(days=1))) == set()
    assert left(model(deleted_revision=ago(days=31))) == {1, 2}  # uploaded since


def test_a_deletion_that_came_late_is_kept_for_a_day_from_then():
    def late(hours):
        known = model(deleted_versions={2: ago(days=5)})
        gone = known.versions[2].model_copy(update={"gone_at": ago(hours=hours)})
        return left(known.model_copy(update={"versions": {1: known.versions[1], 2: gone}}))

    assert late(hours=23) == {1, 2}
    assert late(hours=24) == {1}


def test_an_erased_accounts_model_is_shortened_to_what_is_deleted():
    day = ago(days=8)
    closed = {"closed": True, "account_revision": day, "pin": 1, "keep": 3, "source_generation": 9}
    assert left(model(**closed), account(at=day, erased=True)) == set()
    assert left(model(**closed), account(at=day)) == {1, 2}
    assert left(model(**closed), account("active", at=day, erased=True)) == {1, 2}
    assert left(model(**closed), account(at=ago(days=1), erased=True)) == {1, 2}
    assert left(model(account_revision=day), account(at=day, erased=True)) == {1, 2}
    owner = account(at=day, erased=True)
    after = garbage.shortened(model(**closed), owner, policy=POLICY, now=NOW)
    assert after.wants.deleted_revision == day
    assert (after.wants.pin, after.wants.keep, after.wants.source_generation) == (None, 1, 9)


def record(**fields):
    return ModelRecord(**({"state": "RETIRED", "document": 5} | fields))


def view(record=None, replicas=(), told=None, configs=(), digest="live"):
    status = ShardStatus(
        models={"acme.digits": record} if record else {}, replicas=replicas, told=told or {}
    )
    return ShardView("shard-0", status, configs, digest)


@pytest.mark.parametrize(
    ("seen", "gone"),
    [
        (record(), True),
        (None, False),
        (record(document=4), False),
        (record(state="LOADING"), False),
    ],
)
def test_a_record_goes_when_its_shard_let_go(seen, gone):
    before = model()
    after = before.model_copy(update={"versions": {}})
    assert garbage.let_go("acme.digits", before, after, 5, [view(seen)]) is gone
    assert garbage.let_go("acme.digits", before, after, 5, []) is False


def test_a_version_goes_when_its_shard_neither_announces_nor_loads_it():
    before = model()
    after = before.model_copy(update={"versions": {1: before.versions[1]}})

    def gone(**fields):
        seen = record(state="SERVING", **fields)
        return garbage.let_go("acme.digits", before, after, 5, [view(seen)])

    assert gone(announced=(1,))
    assert not gone(announced=(1, 2))
    assert not gone(announced=(1,), versions={2: VersionRecord(state="LOADING", replicas=1)})


def test_configs_and_what_is_loaded_name_versions():
    configs = ({"acme.boot": Entry("x", (1,))}, {"acme.live": Entry("x", (2, 3))})
    seen = record(
        announced=(4,),
        versions={
            5: VersionRecord(state="LOADING", replicas=1),
            6: VersionRecord(state="QUARANTINED"),
        },
    )
    assert garbage.named([view(seen, configs=configs)]) == {
        ("acme.boot", 1),
        ("acme.live", 2),
        ("acme.live", 3),
        ("acme.digits", 4),
        ("acme.digits", 5),
    }


def replica(started_at):
    return ReplicaStatus(
        name="pod", key="k", address="a", ready=True, started_at=started_at, reason=""
    )


@pytest.mark.parametrize(
    ("started", "digest", "sure"),
    [
        (ago(days=9), "live", True),
        (ago(days=9), "older", False),
        (ago(days=9), "", False),
        (ago(days=9), None, False),
        ("", None, False),
        (ago(hours=1), None, True),
    ],
)
def test_a_replica_that_may_run_an_older_config_holds_bytes(started, digest, sure):
    told = {} if digest is None else {"k": Told(digest=digest, at=ago(days=9))}
    seen = view(replicas=(replica(started),), told=told)
    why = garbage.unsure([seen], NOW - timedelta(days=1))
    assert (why == "") is sure


@pytest.mark.parametrize(
    ("written", "started", "sure"),
    [(10, 9, True), (9, 10, False), (None, 9, False), (10, None, False)],
)
def test_a_replica_that_booted_with_the_live_config_holds_nothing(written, started, sure):
    began = "" if started is None else ago(days=started)
    booted = None if written is None else NOW - timedelta(days=written)
    seen = replace(view(replicas=(replica(began),)), boot_live=booted)
    assert (garbage.unsure([seen], NOW - timedelta(days=1)) == "") is sure


def test_a_shard_without_a_status_holds_bytes():
    seen = ShardView("shard-0", None, (), "")
    assert garbage.unsure([seen], NOW) == "shard-0 has no status"


def test_marked_first_deleted_a_day_later_and_unmarked_when_named_again():
    def sort(orphans, marks, views=()):
        return garbage.sort(orphans, marks, views, policy=POLICY, now=NOW)

    day = timedelta(days=1)
    assert sort({ONE}, {}).mark == (ONE,)
    assert sort({ONE}, {ONE: NOW - day / 2}).empty
    assert sort({ONE}, {ONE: NOW - day}).delete == (ONE,)
    assert sort(set(), {ONE: NOW - day}).unmark == (ONE,)
    held = sort({ONE}, {ONE: NOW - day}, [ShardView("shard-0", None, (), "")])
    assert held.empty
    assert held.blocked == "bytes wait: shard-0 has no status"
    assert sort({ONE}, {}).told == ("mark the bytes of 1 versions",)


def test_what_is_judged_or_promoted_is_under_way():
    final = Verdict(state="ADMITTED", reason="", at="")
    taken = lease.taken(holder="m", now=NOW, seconds=60)
    assert not garbage.under_way(None, NOW)
    assert garbage.under_way(Admission(lease=taken), NOW)
    assert not garbage.under_way(Admission(lease=taken), NOW + timedelta(seconds=61))
    assert garbage.under_way(Admission(promoting="d"), NOW)
    assert not garbage.under_way(Admission(promoting="d", verdict=final), NOW)


def test_a_promotion_that_nobody_is_at_died():
    taken = lease.taken(holder="m", now=NOW, seconds=60)
    begun = Admission(promoting="d", lease=taken)
    assert not garbage.died(begun, NOW)
    assert garbage.died(begun, NOW + timedelta(seconds=60))
    assert not garbage.died(Admission(lease=taken), NOW + timedelta(seconds=60))
    assert not garbage.died(None, NOW)


def test_of_a_burnt_number_nothing_is_kept_but_that_it_is_used():
    files = tuple(
        ManifestFile(name=name, generation=generation, size=7, crc32c="x")
        for name, generation in (("saved_model.pb", 4), ("variables/variables.index", 6))
    )
    known = Admission(
        manifest=Manifest(files=files),
        promoting="d",
        promoted=("saved_model.pb",),
        footprint=FOOTPRINT,
        verdict=Verdict(state="ADMITTED", reason="", at=""),
    )
    kept = garbage.burnt(known, NOW)
    assert (admission.used(kept), kept.promoting, kept.footprint) == (True, "d", None)
    assert kept.verdict is not None
    assert kept.verdict.state == "REJECTED"
    (file,) = kept.manifest.files
    assert (file.generation, file.size, file.crc32c) == (6, 0, "")
    assert garbage.burnt(kept, NOW + timedelta(days=1)) is kept
    fresh = garbage.burnt(None, NOW)
    assert admission.used(fresh)
    assert fresh.manifest.files == ()


def test_an_object_that_is_no_mark_is_none():
    assert garbage.marked("garbage/acme.digits/1.json") == ONE
    for name in ("acme.digits/01.json", "acme/1.json", "note.txt", "acme.digits/1.json/2"):
        assert garbage.marked(f"garbage/{name}") is None
