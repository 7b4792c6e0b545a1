"""The ledger: what fits beside what is settled and reserved, how it is refused, when places are free again."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from berth.domain import documents, ledger, quotas
from berth.domain.documents import AdmittedVersion, Footprint, Model, Wants
from berth.domain.ledger import Claim, Ledger, Reservation, Settled

NOW = datetime(2026, 11, 21, 14, 20, tzinfo=UTC)
LATER = NOW + timedelta(minutes=10)
PLAN = replace(
    quotas.quota("free"), models=2, versions=3, bytes=100, admissions_per_hour=2, at_once=3
)


def place(key, size=10, holder="m1", until=LATER):
    model, _, number = key.partition("/")
    return Reservation(model=model, number=int(number), bytes=size, holder=holder, until=until)


def reserved(*places, **fields):
    return Ledger(reservations={f"{p.model}/{p.number}": p for p in places}, **fields)


def settled(**models):
    """Numbers of each model; every version has 10 bytes."""
    return {name: Settled(frozenset(n), 10 * len(n)) for name, n in models.items()}


def ask(known, there, key="mine/1", size=10, digest="d" * 64, now=NOW):
    claim = Claim(place(key, size, holder="me"), digest)
    return ledger.decide(known, there, claim, quota=PLAN, now=now)


EMPTY = Ledger()
CASES = {
    "nothing there": (EMPTY, {}, "granted", ""),
    "one model there": (EMPTY, settled(one=[1]), "granted", ""),
    "all models there": (EMPTY, settled(one=[1], two=[1]), "over", "2 models, 2 are used"),
    "its own model is there": (EMPTY, settled(one=[1], mine=[7]), "granted", ""),
    "the starter does not count": (EMPTY, settled(one=[1], starter=[1]), "granted", ""),
    "a model without versions": (EMPTY, settled(one=[1], two=[]), "granted", ""),
    "all models, one reserved": (reserved(place("two/1")), settled(one=[1]), "busy", "2 models"),
    "all models reserved": (reserved(place("one/1"), place("two/1")), {}, "busy", "2 models"),
    "two versions of one model": (reserved(place("one/1"), place("one/2")), {}, "granted", ""),
    "a reservation past its time": (
        reserved(place("two/1", until=NOW)),
        settled(one=[1]),
        "granted",
        "",
    ),
    "a reservation that is settled": (
        reserved(place("one/1", 90)),
        settled(one=[1]),
        "granted",
        "",
    ),
    "all versions there": (EMPTY, settled(mine=[2, 3, 4]), "over", "3 versions of a model, 3 are"),
    "all versions, one reserved": (
        reserved(place("mine/4")),
        settled(mine=[2, 3]),
        "busy",
        "3 versions of a model",
    ),
    "versions of another model": (EMPTY, settled(one=[2, 3, 4]), "granted", ""),
    "the last byte": (EMPTY, {"one": Settled(frozenset([1]), 90)}, "granted", ""),
    "a byte too many": (EMPTY, {"one": Settled(frozenset([1]), 91)}, "over", "100 in all, 91 are"),
    "a byte too many, reserved": (reserved(place("one/1", 91)), {}, "busy", "91 are used"),
    "the bytes of a starter's other version": (
        EMPTY,
        {"starter": Settled(frozenset([1, 2]), 91)},
        "over",
        "in all",
    ),
    "its own reservation, held before": (
        reserved(place("mine/1", 95, holder="dead"), place("one/1", 85)),
        {},
        "granted",
        "",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_fits(name):
    known, there, word, reason = CASES[name]
    answer = ask(known, there)
    assert (answer.word, reason in answer.reason) == (word, True), answer
    assert (answer.ledger is not None) == (word == "granted")
    assert ("judged" in answer.reason) == (word == "busy")


def test_no_more_are_judged_at_once_than_the_plan_allows():
    known = reserved(place("mine/7"), place("mine/8"), place("mine/9", until=NOW))
    plan = replace(PLAN, versions=100, admissions_per_hour=100)
    claims = [Claim(place(f"mine/{number}", 1, holder="me"), "d" * 64) for number in (1, 2)]
    first = ledger.decide(known, {}, claims[0], quota=plan, now=NOW)
    assert (first.word, ledger.free(first.ledger, quota=plan, now=NOW)) == ("granted", 0)
    second = ledger.decide(first.ledger, {}, claims[1], quota=plan, now=NOW)
    assert (second.word, second.ledger) == ("busy", None)
    assert "3 at once, 3 are being judged: it is judged when one of them" in second.reason
    again = ledger.decide(first.ledger, {}, claims[0], quota=plan, now=NOW)
    assert again.word == "granted", "its own place is no reason to wait"
    left = ledger.released(first.ledger, claims[0])
    assert ledger.free(left, quota=plan, now=NOW) == 1
    assert ledger.decide(left, {}, claims[1], quota=plan, now=NOW).word == "granted"


def test_a_grant_holds_the_place_and_drops_what_is_over():
    known = reserved(place("one/1"), place("one/2", until=NOW), place("one/3"))
    answer = ask(known, settled(one=[3]))
    assert set(answer.ledger.reservations) == {"one/1", "mine/1"}
    assert answer.ledger.reservations["mine/1"].holder == "me"


def test_an_hour_counts_each_upload_once():
    known = EMPTY
    for _ in range(3):
        known = ask(known, {}, "mine/1").ledger
    assert len(known.admissions) == 1
    known = ask(known, {}, "mine/1", digest="e" * 64).ledger
    full = ask(known, {}, "mine/2")
    assert (full.word, full.ledger) == ("later", None)
    assert full.reason == "the plan allows 2 admissions an hour: it is judged after 15:00 UTC"
    assert ask(known, {}, "mine/1").word == "granted", "it was counted already"
    assert ask(known, {}, "mine/2", digest="").word == "granted", "no probe begins"
    next_hour = NOW.replace(hour=15, minute=0)
    again = ask(known, {}, "mine/2", now=next_hour)
    assert len(again.ledger.admissions) == 1
    assert again.ledger.hour == next_hour.isoformat()


def test_a_clock_that_is_behind_does_not_open_the_hour_again():
    known = EMPTY
    for number in (1, 2):
        known = ask(known, {}, f"mine/{number}").ledger
    assert ask(known, {}, "mine/3", now=NOW - timedelta(minutes=30)).word == "later"


def test_a_full_plan_is_said_before_a_full_hour():
    known = EMPTY.model_copy(update={"hour": NOW.replace(minute=0).isoformat()})
    known = known.model_copy(update={"admissions": ("a", "b")})
    assert ask(known, settled(one=[1], two=[1])).word == "over"


def test_a_release_takes_its_own_reservation_only():
    mine = Claim(place("mine/1", holder="me"), "")
    assert ledger.released(reserved(place("one/1"), mine.place), mine) == reserved(place("one/1"))
    for other in (place("mine/1", holder="other"), place("mine/1", holder="me", until=NOW)):
        assert ledger.released(reserved(other), mine) == reserved(other)
    assert ledger.released(EMPTY, mine) == EMPTY


def model(**wants):
    versions = {
        n: AdmittedVersion(
            digest="d",
            footprint=Footprint(resident_bytes=1, peak_bytes=1, load_seconds=0),
            admitted_at="2026-01-01",
            bytes=n * 10,
        )
        for n in (1, 2, 3)
    }
    return Model(
        customer="acme",
        model="mine",
        base_path="acme/mine",
        versions=versions,
        wants=Wants(**wants),
        shard="shard-0",
    )


def test_deleted_versions_hold_no_place():
    assert ledger.held(model()) == Settled(frozenset([1, 2, 3]), 60)
    assert ledger.held(model(deleted_versions={2: "2026-02-01"})) == Settled(frozenset([1, 3]), 40)
    assert ledger.held(model(deleted_revision="2026-02-01")) == Settled(frozenset(), 0)


def test_metadata_says_the_same_and_old_metadata_counts_no_bytes():
    metadata = documents.project(model()).metadata()
    assert ledger.listed({**metadata, "bytes": "60"}) == ledger.held(model())
    assert ledger.listed(metadata) == Settled(frozenset([1, 2, 3]), 0)


def test_a_version_of_before_bytes_were_kept_has_none():
    old = model().encode().replace(b'"bytes":10,', b"").replace(b'"bytes":20,', b"")
    assert Model.decode(old).stored_bytes == 30


def test_an_hour_begins_on_the_hour():
    late = NOW.replace(minute=59, second=58, microsecond=7)
    assert ask(EMPTY, {}, now=late).ledger.hour == NOW.replace(minute=0).isoformat()


def test_a_reservation_past_its_time_leaves_its_place_free():
    plan = replace(PLAN, at_once=2)
    for until, places in ((NOW, 2), (NOW + timedelta(microseconds=1), 1)):
        known = reserved(place("one/1", until=until))
        assert ledger.free(known, quota=plan, now=NOW) == places
