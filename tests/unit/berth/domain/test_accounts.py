"""Accounts: the newest revision of each field wins, in whatever order and how often events come."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from berth.domain import accounts
from berth.domain.documents import AdmittedVersion, Footprint, Model, Wants, project
from berth.domain.errors import InvalidEvent
from berth.domain.requests import CustomerEvent

NOW = datetime(2026, 1, 1, 1, tzinfo=UTC)


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
                known = accounts.signed_up(known, one, home_shard="shard-0", now=NOW)
            elif known is None:
                rest.append(one)
            elif one.kind == "plan_changed":
                known = accounts.plan_changed(known, one)
            else:
                known = accounts.closed(known, one, now=NOW)
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


@pytest.mark.parametrize(
    "change", [accounts.plan_changed, lambda k, e: accounts.signed_up(k, e, home_shard="", now=NOW)]
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


def gone(minute, learned=NOW):
    """An account closed at a minute, of which Berth learned then."""
    known = after([event("signed_up", 0)])
    return accounts.closed(known, event("closed", minute), now=learned)


@pytest.mark.parametrize(("learned", "later"), [(NOW, NOW), (NOW - timedelta(days=1), None)])
def test_the_grace_runs_from_the_later_of_the_closing_and_its_coming_to_be_known(learned, later):
    closed = gone(5, learned)
    runs = later or datetime.fromisoformat(closed.state_revision)

    def erased(at):
        return accounts.leaving(accounts.erased(closed, grace_seconds=60, now=at))

    assert not erased(runs + timedelta(seconds=59))
    assert erased(runs + timedelta(seconds=60))


def test_a_closing_that_comes_again_does_not_begin_the_grace_anew():
    closed = gone(5)
    assert accounts.closed(closed, event("closed", 5), now=NOW + timedelta(days=6)) == closed


def erased(minute=5):
    return accounts.erased(gone(minute), grace_seconds=60, now=NOW + timedelta(hours=1))


def back(account, minute=9):
    known = accounts.signed_up(account, event("signed_up", minute), home_shard="", now=NOW)
    return accounts.under(accounts.under(digits(1), account), known)


def test_an_erasure_is_of_this_closing_and_is_over_when_all_is_emptied():
    account = erased()
    assert accounts.leaving(account)
    assert accounts.left(account)
    done = accounts.emptied(account)
    assert not accounts.left(done)
    assert accounts.erased(done, grace_seconds=60, now=NOW + timedelta(days=9)) == done
    active = accounts.signed_up(done, event("signed_up", 9), home_shard="", now=NOW)
    assert not accounts.left(active)
    assert accounts.emptied(active) == active
    again = accounts.closed(active, event("closed", 11), now=NOW)
    assert not accounts.leaving(again)
    assert accounts.left(again)
    twice = accounts.erased(again, grace_seconds=60, now=NOW + timedelta(hours=1))
    assert accounts.left(twice)
    assert accounts.emptied(gone(5)) == gone(5)


def test_a_sign_up_before_the_decision_restores_and_one_after_it_does_not():
    assert back(gone(5)).present == (1,)
    fresh = back(erased())
    assert fresh.present == ()
    assert not fresh.wants.closed
    assert fresh.wants.account_revision == event("", 9).revision
    assert fresh.wants.deleted_revision == event("", 5).revision


def test_what_was_admitted_after_the_closing_goes_with_the_account_and_nothing_newer():
    late = digits(1).versions[1].model_copy(update={"uploaded_at": event("", 7).revision})
    model = digits(1).model_copy(update={"versions": {1: digits(1).versions[1], 2: late}})
    account = erased()
    known = accounts.signed_up(account, event("signed_up", 9), home_shard="", now=NOW)
    fresh = accounts.under(model, known)
    assert fresh.present == ()
    newer = late.model_copy(update={"uploaded_at": event("", 8).revision})
    assert fresh.model_copy(update={"versions": {3: newer}}).present == (3,)
    assert accounts.under(fresh, known) == fresh


def test_a_model_that_never_heard_of_the_closing_goes_too():
    known = accounts.signed_up(erased(), event("signed_up", 9), home_shard="", now=NOW)
    closed_again = accounts.closed(known, event("closed", 11), now=NOW)
    assert accounts.under(digits(1), closed_again).present == ()
    young = digits(1, account_revision=event("", 9).revision)
    assert accounts.under(young, closed_again).present == (1,)


def test_when_a_deletion_was_learned_is_noted_once():
    model = digits(1, 2)
    assert accounts.noted(model, at="now") is model
    assert accounts.noted(None, at="now") is None
    for minute, at in ((5, "first"), (6, "again")):
        model = accounts.retired(model, event("model.deleted", minute, model="digits", version=1))
        model = accounts.noted(model, at=at)
    assert [model.versions[n].gone_at for n in (1, 2)] == ["first", ""]
    model = accounts.retired(model, event("model.deleted", 7, model="digits"))
    assert [one.gone_at for one in accounts.noted(model, at="then").versions.values()] == [
        "first",
        "then",
    ]


def test_what_a_model_remembers_of_deletions_is_bounded(monkeypatch):
    monkeypatch.setattr(accounts, "MAX_DELETIONS", 3)
    ends = set()
    for order in itertools.permutations(range(10, 15)):
        model = digits(1)
        for minute in (1, *order):
            one = event("model.deleted", minute, model="digits", version=minute)
            model = accounts.retired(model, one)
        ends.add(model.encode())
        assert set(model.wants.deleted_versions) == {1, 12, 13, 14}
    assert len(ends) == 1
    whole = accounts.retired(model, event("model.deleted", 13, model="digits"))
    assert set(whole.wants.deleted_versions) == {14}


def test_an_erasure_drops_deletions_that_it_covers():
    model = digits(1, deleted_versions={1: event("", 3).revision, 7: event("", 30).revision})
    wants = accounts.forgotten(model, event("", 5).revision)
    assert set(wants.deleted_versions) == {7}
