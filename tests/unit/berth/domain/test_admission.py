"""Admission: what comes next for a version, as one table over its audit trail and its listing."""

from dataclasses import dataclass, field

import pytest

from berth.domain import admission, quotas
from berth.domain.documents import Admission, Verdict
from berth.domain.manifest import Manifest, ManifestFile

PLAN = quotas.quota("free")
GRAPH, INDEX = "saved_model.pb", "variables/variables.index"


def listing(*names, generation=1, size=10, crc="AAAAAA=="):
    return Manifest(
        files=tuple(
            ManifestFile(name=n, generation=generation, size=size, crc32c=crc) for n in names
        )
    )


WHOLE = listing(GRAPH, INDEX)
OTHER = listing(GRAPH, INDEX, generation=2, crc="BBBBBB==")
AGAIN = listing(GRAPH, INDEX, generation=2)


def said(state, *missing):
    return Verdict(state=state, reason="why", at="t", missing=missing)


def known(verdict=None, of=WHOLE, **more):
    return Admission(manifest=of, digest=admission.identity(of), verdict=verdict, **more)


def promoting(verdict=None):
    return known(verdict, promoting="d", promoted=(GRAPH, INDEX))


@dataclass(frozen=True)
class Case:
    known: Admission
    uploaded: Manifest
    next: str
    reason: str = ""
    missing: tuple[str, ...] = field(default=())
    crowded: bool = False


CASES = {
    "nothing there": Case(Admission(), listing(), "waiting", "is missing", (GRAPH,)),
    "no graph yet": Case(Admission(), listing(INDEX), "waiting", "is missing", (GRAPH,)),
    "new": Case(Admission(), WHOLE, "probe"),
    "already admitted": Case(promoting(said("ADMITTED")), WHOLE, "settled"),
    "admitted, same bytes again": Case(promoting(said("ADMITTED")), AGAIN, "settled"),
    "admitted, inbox cleaned": Case(promoting(said("ADMITTED")), listing(), "settled"),
    "admitted, other bytes": Case(promoting(said("ADMITTED")), OTHER, "refuse", "immutable"),
    "admitted, a file gone": Case(
        promoting(said("ADMITTED")), listing(GRAPH), "refuse", "immutable"
    ),
    "admitted, more beside it": Case(
        promoting(said("ADMITTED")), listing(GRAPH, INDEX, "assets/late.txt"), "settled"
    ),
    "died while promoting": Case(promoting(), WHOLE, "promote"),
    "died while promoting, other bytes since": Case(promoting(), OTHER, "promote"),
    "died while promoting, inbox cleaned": Case(promoting(), listing(), "promote"),
    "burnt while promoting": Case(promoting(said("REJECTED")), WHOLE, "settled"),
    "rejected": Case(known(said("REJECTED")), WHOLE, "settled"),
    "rejected, other bytes": Case(known(said("REJECTED")), OTHER, "probe"),
    "rejected, uploaded again": Case(known(said("REJECTED")), AGAIN, "probe"),
    "rejected, then emptied": Case(known(said("REJECTED")), listing(), "waiting", "", (GRAPH,)),
    "incomplete, unchanged": Case(
        known(said("INCOMPLETE", INDEX), listing(GRAPH)), listing(GRAPH), "waiting", "why", (INDEX,)
    ),
    "incomplete, another file": Case(
        known(said("INCOMPLETE", INDEX), listing(GRAPH)),
        listing(GRAPH, "assets/a"),
        "waiting",
        "why",
        (INDEX,),
    ),
    "incomplete, one of two came": Case(
        known(said("INCOMPLETE", INDEX, "assets/a"), listing(GRAPH)),
        WHOLE,
        "waiting",
        "why",
        ("assets/a",),
    ),
    "incomplete, all came": Case(known(said("INCOMPLETE", INDEX), listing(GRAPH)), WHOLE, "probe"),
    "incomplete, a new graph": Case(
        known(said("INCOMPLETE", INDEX), listing(GRAPH)), listing(GRAPH, generation=9), "probe"
    ),
    "died twice": Case(known(attempts=2), WHOLE, "probe"),
    "died three times": Case(known(attempts=3), WHOLE, "reject", "three attempts"),
    "died three times, other bytes": Case(known(attempts=3), OTHER, "probe"),
    "too many files": Case(Admission(), WHOLE, "reject", "more than 200 files", crowded=True),
    "too many files, no graph": Case(Admission(), listing(INDEX), "reject", "files", crowded=True),
    "incomplete, then too many files": Case(
        known(said("INCOMPLETE", GRAPH), listing(INDEX)),
        listing(INDEX),
        "reject",
        "files",
        crowded=True,
    ),
    "too many bytes": Case(
        Admission(), listing(GRAPH, size=PLAN.version_bytes + 1), "reject", "the plan allows"
    ),
    "as many bytes as allowed": Case(Admission(), listing(GRAPH, size=PLAN.version_bytes), "probe"),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_comes_next(case):
    decision = admission.decide(case.known, case.uploaded, quota=PLAN, crowded=case.crowded)
    assert decision.next == case.next
    assert case.reason in decision.reason
    assert decision.missing == case.missing
