"""A customer's share of a sweep: bounded, and what is over it is the next sweep's."""

import random

import pytest

from berth.domain import inbox
from berth.domain.inbox import SweepMarks
from berth.domain.manifest import SAVED_MODEL


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(inbox, "MAX_OBJECTS", 5)
    monkeypatch.setattr(inbox, "MAX_SUBJECTS", 3)


def look(objects, mark=""):
    """One sweep: what a store lists from the mark on."""
    listed = sorted((name, number) for number, name in enumerate(objects, 1) if name >= mark)
    return inbox.share(listed[: inbox.MAX_OBJECTS + 1])


def labels(share):
    return [f"{row.version.model.model}/{row.version.number}" for row in share.rows]


def version(folder, *names):
    return [f"{folder}/{name}" for name in (names or (SAVED_MODEL, "variables/variables.index"))]


def test_an_inbox_within_the_share_is_seen_whole():
    objects = [*version("a/m/1"), *version("a/m/2"), "a/m/serving.yaml"]
    found = look(objects)
    assert (labels(found), list(found.wishes.values()), found.mark) == (["m/1", "m/2"], [5], "")
    assert [row.complete for row in found.rows] == [True, True]
    assert [row.newest for row in found.rows] == [2, 4]


def test_a_version_that_the_bound_cuts_is_the_next_sweeps():
    objects = [*version("a/m/1"), *version("a/m/2", "assets/x", "assets/y", SAVED_MODEL, "z")]
    first = look(objects)
    assert (labels(first), first.mark) == (["m/1"], "a/m/2/")
    second = look(objects, first.mark)
    assert (labels(second), second.mark) == (["m/2"], "")
    assert second.rows[0].complete


def test_a_version_larger_than_a_share_is_for_its_admission_to_refuse():
    objects = [*version("a/m/1", *(f"assets/{n}" for n in range(9))), *version("a/m/2")]
    first = look(objects)
    assert (labels(first), first.mark) == (["m/1"], "a/m/10")
    assert first.rows[0].complete
    assert labels(look(objects, first.mark)) == ["m/2"]


def test_a_folder_object_of_a_large_version_holds_nobody_up():
    objects = ["a/m/1/", *version("a/m/1", *(f"assets/{n}" for n in range(9))), *version("a/m/2")]
    first = look(objects)
    assert first.mark == "a/m/10"


def test_no_more_subjects_than_a_share_are_read():
    objects = [name for number in range(1, 8) for name in version(f"a/m/{number}", SAVED_MODEL)]
    first = look(objects)
    assert (labels(first), first.mark) == (["m/1", "m/2", "m/3"], f"a/m/4/{SAVED_MODEL}")


@pytest.mark.parametrize("seed", range(30))
def test_whatever_is_in_an_inbox_sweeps_see_all_of_it_and_end(seed):
    chance = random.Random(seed)
    parts = ("1", "2", "10", "x", "serving.yaml", "assets", SAVED_MODEL, "-", "0", "é", "")
    objects = {
        "a/" + "/".join(chance.choice(parts) for _ in range(chance.randint(1, 5)))
        for _ in range(chance.randint(1, 60))
    }
    objects |= {f"a/m/{number}/{SAVED_MODEL}" for number in chance.sample(range(1, 30), 8)}
    found, mark, sweeps = set(), "", 0
    while sweeps == 0 or mark:
        seen = look(sorted(objects), mark)
        assert len(seen.rows) + len(seen.wishes) <= inbox.MAX_SUBJECTS
        assert not seen.mark or seen.mark > mark, "each sweep goes on"
        found |= {row.version.folder for row in seen.rows if row.complete}
        mark, sweeps = seen.mark, sweeps + 1
    complete = {n.removesuffix(SAVED_MODEL) for n in objects if n.endswith(f"/{SAVED_MODEL}")}
    wanted = {f"a/m/{n}/" for n in range(1, 30)} & complete
    assert wanted <= found


def test_marks_of_who_was_not_its_turn_stay_and_of_who_is_gone_go():
    known = SweepMarks(customer="d", marks={"a": "a/1", "d": "d/1", "e": "e/1", "gone": "gone/1"})
    again = inbox.noted(known, {"d": "d/2", "e": ""}, going_on="k")
    assert again == SweepMarks(customer="k", marks={"a": "a/1", "d": "d/2"})
    first = SweepMarks(marks={"a": "a/1", "z": "z/1"})
    assert inbox.noted(first, {"a": "a/2"}, going_on="b").marks == {"a": "a/2", "z": "z/1"}
    assert inbox.noted(first, {"a": ""}, going_on="") == SweepMarks()
