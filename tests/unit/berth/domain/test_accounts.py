"""Accounts: the newest revision of each field wins, in whatever order and how often events come."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from berth.domain import accounts
from berth.domain.documents import AdmittedVersion, Footprint, Model, Wants, project
from berth.domain.errors import InvalidEvent
from berth.domain.requests import CustomerEvent


def event(kind, minute, plan="free", **more):
    revision = f"2026-01-01T00:{minute:02}:00.000000+00:00"
    return CustomerEvent(kind, "acme", revision, plan=plan, **more)


def after(events):
    """What the events leave, a change before any sign-up being delivered again until there is one."""
    known = None
    waiting = list(events)
    while waiting:
        rest = []
        for one in waiting:
            if one.kind == "signed_up":
                known = accounts.signed_up(known, one, home_shard="shard-0")
            elif known is None:
                rest.append(one)
            elif one.kind == "plan_changed":
                known = accounts.plan_changed(known, one)
            else:
                known = accounts.closed(known, one)
        if len(rest) == len(waiting):
            return known
        waiting = rest
    return known


STORY = [
    event("signed_up", 0, "free"),
    event("plan_changed", 1, "standard"),
    event("closed", 2),
    event("signed_up", 3, "enterprise"),
]


def test_the_story_in_order():
    known = after(STORY)
    assert (known.plan, known.state) == ("enterprise", "active")


@pytest.mark.parametrize("order", list(itertools.permutations(STORY)))
def test_any_order_tells_the_same_story(order):
    assert after(order) == after(STORY)


@settings(max_examples=60)
@given(
    st.lists(
        st.builds(
            event,
            st.sampled_from(["signed_up", "plan_changed", "closed"]),
            st.integers(0, 59),
            st.sampled_from(["free", "standard", "enterprise"]),
        ),
        max_size=6,
        unique_by=lambda e: e.revision,
    ).flatmap(
        lambda story: st.tuples(
            st.just(story),
            st.lists(st.sampled_from(story), max_size=4).flatmap(
                lambda twice: st.permutations([*story, *twice])
            )
            if story
            else st.just([]),
        )
    )
)
def test_any_permutation_and_duplication_converges(case):
    story, shuffled = case
    assert after(shuffled) == after(sorted(story, key=lambda e: e.revision))


def test_an_older_event_changes_nothing_and_an_equal_one_neither():
    known = after(STORY)
    for one in STORY:
        assert after([*STORY, one]) == known


def test_the_home_shard_is_sticky():
    known = accounts.signed_up(None, STORY[0], home_shard="shard-0")
    assert accounts.signed_up(known, STORY[3], home_shard="shard-1").home_shard == "shard-0"


@pytest.mark.parametrize(
    "change", [accounts.plan_changed, lambda k, e: accounts.signed_up(k, e, home_shard="")]
)
def test_an_unknown_plan_is_refused(change):
    with pytest.raises(InvalidEvent, match="unknown plan"):
        change(after(STORY), event("plan_changed", 9, "gold"))


ADMITTED = "2025-12-31T00:00:00.000+00:00"
LATER = "2026-01-01T00:30:00.000+00:00"


def digits(*versions, **wants):
    footprint = Footprint(resident_bytes=1, peak_bytes=1, load_seconds=1)
    admitted = AdmittedVersion(digest="d", footprint=footprint, admitted_at=ADMITTED)
    return Model(
        customer="acme",
        model="digits",
        base_path="acme/digits",
        shard="shard-0",
        versions=dict.fromkeys(versions, admitted),
        wants=Wants(**wants),
    )


def account(state, minute):
    return after([event("signed_up", 0)]).model_copy(
        update={"state": state, "state_revision": event("closed", minute).revision}
    )


def test_closing_retires_a_model_and_signing_up_again_restores_it():
    gone = accounts.under(digits(1), account("closed", 5))
    assert project(gone).retired
    back = accounts.under(gone, account("active", 6))
    assert not project(back).retired
    assert accounts.under(back, account("closed", 5)) == back
    assert accounts.under(gone, account("active", 4)) == gone


def test_a_model_that_its_owner_deleted_stays_deleted_after_closing_and_signing_up():
    gone = accounts.retired(digits(1), event("model.deleted", 3, model="digits"))
    for state, minute in (("closed", 5), ("active", 6)):
        gone = accounts.under(gone, account(state, minute))
        assert project(gone).retired


@pytest.mark.parametrize("more", [{}, {"version": 1}])
def test_a_version_uploaded_after_the_deletion_stays(more):
    model = digits(1)
    later = model.versions[1].model_copy(update={"uploaded_at": LATER})
    model = model.model_copy(update={"versions": {**model.versions, 2: later}})
    gone = accounts.retired(model, event("model.deleted", 5, model="digits", **more))
    assert gone.present == (2,)
    assert not project(gone).retired


def test_a_version_uploaded_before_the_deletion_and_admitted_after_it_is_gone():
    gone = accounts.retired(digits(), event("model.deleted", 5, model="digits"))
    late = digits(1).versions[1].model_copy(update={"admitted_at": LATER, "uploaded_at": ADMITTED})
    gone = gone.model_copy(update={"versions": {1: late}})
    assert gone.present == ()
    assert project(gone).retired


def test_deletions_of_versions_do_not_depend_on_their_order():
    events = [
        event("model.deleted", 5, version=1),
        event("model.deleted", 7, version=9),
        event("model.deleted", 3, version=1),
        event("model.deleted", 1, model="digits"),
    ]
    ends = set()
    for order in itertools.permutations(events):
        model = digits(1, 2)
        for one in order:
            model = accounts.retired(model, one)
        ends.add(model.encode())
    assert len(ends) == 1
