"""Moves that begin: for a reason, to a place with room, within the budget; and none otherwise."""

import pytest

from berth.domain import placement
from berth.domain.balancing import MAX_REHOMED
from tests.support.moving import MIB, NOW, ROOM, begun, decided, row, scene, shard, summary


def begins(seen, **more):
    return [(b.servable, b.source, b.target) for b in decided(seen, **more).begin]


def drained(*rows, shards=(), **more):
    """A fleet whose shard a drains."""
    return scene(rows, [shard("a", state="draining"), *(shards or [shard("b")])], **more)


def test_nothing_moves_without_a_reason():
    rows = [row("acme.one", "a", mib=900), row("acme.two", "a", mib=99), row("acme.three", "b")]
    made = decided(scene(rows, [shard("a"), shard("b"), shard("c")]))
    assert made.empty
    assert made.refused == {}


def test_a_shard_that_drains_is_left_by_all_the_largest_first():
    made = decided(drained(row("acme.small", "a", mib=1), row("acme.large", "a", mib=300)))
    assert [(b.servable, b.target, b.bytes) for b in made.begin] == [
        ("acme.large", "b", 300 * MIB),
        ("acme.small", "b", 1 * MIB),
    ]
    assert {b.reason for b in made.begin} == {"a drains"}
    assert made.told[0] == "move acme.large from a to b, 314572800 bytes: a drains"


def test_the_fullest_shard_with_room_takes_it():
    rows = [row("acme.one", "a", mib=300), row("acme.b", "b", mib=200), row("acme.c", "c", mib=800)]
    shards = [shard("b"), shard("c"), shard("d")]
    assert begins(drained(*rows, shards=shards)) == [("acme.one", "a", "b")]


def test_models_on_their_way_take_room_already():
    rows = [row("acme.one", "a", mib=600), row("acme.two", "a", mib=600)]
    assert begins(drained(*rows)) == [("acme.one", "a", "b")]
    under_way = row("acme.one", "a", "b", mib=600, move=begun())
    made = decided(drained(under_way, rows[1]))
    assert made.begin == ()
    assert made.refused == {"acme.two": "a drains: none of 1 shards has room"}


@pytest.mark.parametrize("summaries", [{"b": None}, {"b": "lacking"}])
def test_a_shard_that_is_not_whole_takes_nothing(summaries):
    seen = drained(row("acme.one", "a"))
    lacking = summary(seen.shards["b"], (), ready=1)
    known = {"a": seen.summaries["a"]} | ({"b": lacking} if summaries["b"] else {})
    seen = type(seen)(**{f: getattr(seen, f) for f in seen.__slots__} | {"summaries": known})
    assert decided(seen).begin == ()


def test_what_is_served_no_more_needs_a_home_only():
    rows = [row(f"acme.m{n}", "a", retired=True) for n in range(MAX_REHOMED + 5)]
    made = decided(drained(*rows, row("acme.big", "b", mib=500), shards=[shard("b"), shard("c")]))
    assert made.begin == ()
    assert {r.target for r in made.rehome} == {"c"}
    assert len(made.rehome) == MAX_REHOMED
    assert made.told == (f"rehome {MAX_REHOMED} models that are served no more",)


def pressed(mib, *, room=100, **more):
    """A shard a whose models of these sizes need too much together, and an empty one."""
    rows = [row(f"acme.m{size}", "a", mib=size) for size in mib]
    return scene(rows, [shard("a", mib=room), shard("b")], **more)


def test_a_shard_over_its_mark_is_relieved_and_no_more():
    made = decided(pressed([50, 40, 30]))
    assert [b.servable for b in made.begin] == ["acme.m30"]
    assert made.begin[0].reason == f"a is over its mark by {20 * MIB} bytes and 0 models"


def test_down_to_the_mark_of_the_policy():
    mark = (ROOM + 51 * MIB) / (ROOM + 100 * MIB)
    assert begins(pressed([50, 40])) == []
    assert begins(pressed([50, 40], high_water=mark)) == [("acme.m40", "a", "b")]


def test_no_target_is_filled_over_its_own_mark():
    rows = [*pressed([50, 40, 30]).rows, row("acme.there", "b", mib=75)]
    shards = [shard("a", mib=100), shard("b", mib=100)]
    assert begins(scene(rows, shards)) == []
    shards[1] = shard("b", mib=105)
    assert begins(scene(rows, shards)) == [("acme.m30", "a", "b")]


def test_too_many_models_are_relieved_too():
    rows = [row(f"acme.m{n}", "a", mib=n + 1) for n in range(4)]
    made = begins(scene(rows, [shard("a", max_models=3), shard("b", max_models=3)]))
    assert made == [("acme.m0", "a", "b")]


@pytest.mark.parametrize("why", ["rollout", "unsettled", "leaves", "arrives"])
def test_pressure_is_judged_of_a_shard_at_rest(why):
    seen = pressed([50, 40, 30])
    rows, shards, more = list(seen.rows), list(seen.shards.values()), {}
    if why == "rollout":
        more["summaries"] = {"a": summary(shards[0], rows, rollouts=1)}
    elif why == "unsettled":
        more["unsettled"] = {"a"}
    else:
        places = ("a", "b") if why == "leaves" else ("b", "a")
        rows.append(row("acme.moving", *places, mib=1, move=begun(target=places[1])))
    assert begins(scene(rows, shards, **more)) == []


def test_what_moved_lately_is_left_alone_for_its_rest():
    moved = begun(ago=4000).finished(NOW)
    rows = [row("acme.small", "a", mib=30, move=moved), row("acme.large", "a", mib=90)]
    shards = [shard("a", mib=100), shard("b")]
    assert begins(scene(rows, shards)) == [("acme.large", "a", "b")]
    old = moved.model_copy(update={"ended": "2025-12-31T22:59:00+00:00"})
    rows[0] = row("acme.small", "a", mib=30, move=old)
    assert begins(scene(rows, shards)) == [("acme.small", "a", "b")]


def test_a_target_that_did_not_come_is_left_alone_too_and_others_are_not():
    sent = begun(target="b")
    policy = drained().policy
    given_up = sent.abandoned("too slow", policy, NOW)
    one = row("acme.one", "a", move=given_up)
    made = decided(drained(one))
    assert made.refused == {"acme.one": "a drains: none of 0 shards has room"}
    assert begins(drained(one, shards=[shard("b"), shard("c")])) == [("acme.one", "a", "c")]


def test_what_gets_a_place_another_way_is_left_out():
    assert begins(drained(row("acme.one", "a")), replaced={"acme.one"}) == []


def test_a_model_in_a_wrong_pool_goes_to_its_own():
    rows = [row("acme.one", "a", pool="gold"), row("globex.two", "a")]
    shards = [shard("a"), shard("b"), shard("c", pool="gold")]
    made = decided(scene(rows, shards))
    assert [(b.servable, b.target, b.reason) for b in made.begin] == [
        ("acme.one", "c", "its pool is gold")
    ]
    back = [row("acme.one", "c")]
    assert decided(scene(back, shards)).begin[0].reason == "its pool is the common one"


def test_a_pool_is_never_left_for_a_wrong_one():
    rows = [row("acme.one", "a", pool="gold")]
    shards = [shard("a", pool="gold", state="draining"), shard("b")]
    made = decided(scene(rows, shards))
    assert made.begin == ()
    assert made.refused == {"acme.one": "a drains: none of 0 shards has room"}


def wanted(target, one=None, shards=None):
    rows = [one or row("acme.one", "a")]
    listed = shards or [shard("a"), shard("b"), shard("gold", pool="gold")]
    return decided(scene(rows, listed, wanted={"acme.one": target}))


def test_an_operators_word_moves_a_model():
    (only,) = wanted("b").begin
    assert (only.target, only.reason) == ("b", "an operator wants it there")
    assert wanted("a").empty


@pytest.mark.parametrize(
    ("target", "one", "why"),
    [
        ("nowhere", None, "there is no shard nowhere"),
        ("gold", None, "gold is of another pool"),
        ("b", row("acme.one", "a", retired=True), "no such model is served"),
        ("b", row("acme.other", "a"), "no such model is served"),
        ("b", row("acme.one", "a", mib=2000), "an operator wants it there: it would hold"),
        (
            "b",
            row("acme.one", "a", move=begun().abandoned("too slow", drained().policy, NOW)),
            "it was given up there: too slow",
        ),
    ],
)
def test_an_operators_word_that_cannot_be_is_refused_with_a_reason(target, one, why):
    made = wanted(target, one)
    assert made.begin == ()
    assert made.refused["acme.one"].startswith(why)


def test_a_shard_that_drains_is_refused_to_an_operator():
    made = wanted("b", shards=[shard("a"), shard("b", state="draining")])
    assert made.refused == {"acme.one": "b is draining"}


def test_what_an_operator_placed_is_not_moved_to_relieve():
    seen = pressed([50, 40, 30], wanted={"acme.m30": "a"})
    assert begins(seen) == [("acme.m40", "a", "b")]


def test_the_budget_counts_what_is_under_way():
    rows = [row(f"acme.m{n}", "a") for n in range(5)]
    assert len(begins(drained(*rows, at_once=3))) == 3
    away = [row(f"globex.m{n}", "c", "b", move=begun()) for n in range(2)]
    shards = [shard("b"), shard("c")]
    assert len(begins(drained(*rows, *away, shards=shards, at_once=3))) == 1
    assert begins(drained(*rows, at_once=0)) == []


def test_bytes_have_a_budget_and_a_larger_model_goes_alone():
    rows = [row("acme.large", "a", mib=500), row("acme.small", "a", mib=10)]
    bound = {"bytes_at_once": 100 * MIB}
    assert begins(drained(*rows, **bound)) == [("acme.large", "a", "b")]
    away = row("globex.one", "c", "b", move=begun())
    shards = [shard("b"), shard("c")]
    assert begins(drained(*rows, away, shards=shards, **bound)) == []


def test_a_move_that_ends_frees_its_budget_in_the_same_tick():
    rows = [row("acme.next", "a"), row("acme.late", "a", "b", move=begun(ago=4000))]
    made = decided(drained(*rows, at_once=1))
    assert [e.servable for e in made.end] == ["acme.late"]
    assert [b.servable for b in made.begin] == ["acme.next"]


def test_a_move_says_what_it_was_chosen_from():
    (only,) = decided(drained(row("acme.one", "a"))).begin
    assert only.placed.needs_bytes == 10 * MIB
    assert [c.shard for c in only.placed.choices] == ["b"]
    assert only.placed.choices[0].used_bytes == placement.BASE_BYTES


def test_small_ones_make_room_for_one_that_fits_nowhere():
    rows = [
        row("acme.small", "a", mib=10),
        row("acme.waits", "a", mib=95),
        row("acme.b", "b", mib=20),
    ]
    shards = [shard("a", mib=100), shard("b", mib=100)]
    assert begins(scene(rows, shards)) == [("acme.small", "a", "b")]
