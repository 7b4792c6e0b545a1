"""What a document tells of a move: bounded, and remembered for as long as the policy says."""

from datetime import timedelta

from berth.domain.last_move import MAX_AVOIDED, REASON_LENGTH, Move
from berth.domain.placement import Choice, Decision
from berth.domain.policy import MovePolicy
from tests.support.moving import NOW, begun

POLICY = MovePolicy(rest_seconds=100)


def later(seconds):
    return NOW + timedelta(seconds=seconds)


def test_a_finished_move_rests_for_its_time():
    done = begun().finished(NOW)
    assert (done.outcome, done.ended) == ("moved", "2026-01-01T00:00:00+00:00")
    assert done.rests(POLICY, later(99))
    assert not done.rests(POLICY, later(100))
    assert not begun().rests(POLICY, NOW)


def test_a_target_is_left_alone_for_its_time_and_the_model_may_go_elsewhere():
    done = begun(target="b").abandoned("x" * 1000, POLICY, NOW)
    assert (done.outcome, done.why) == ("abandoned", "x" * REASON_LENGTH)
    assert done.avoids("b", POLICY, later(99))
    assert not done.avoids("b", POLICY, later(100))
    assert not done.avoids("c", POLICY, NOW)
    assert not done.rests(POLICY, NOW)


def test_targets_are_remembered_over_several_moves_and_not_for_ever():
    move = begun(target="t0").abandoned("no", POLICY, NOW)
    for n in range(1, 12):
        kept = move.remembered(POLICY, later(n * 5))
        move = begun(target=f"t{n}", avoided=kept).abandoned("no", POLICY, later(n * 5))
    assert len(move.avoided) == MAX_AVOIDED
    assert set(move.avoided) == {f"t{n}" for n in range(12 - MAX_AVOIDED, 12)}
    assert move.remembered(POLICY, later(152)) == {"t11": move.avoided["t11"]}


def test_the_longest_fits_beside_a_projection_and_comes_back_without_its_decision():
    choice = Choice(shard="s" * 40, models=200, max_models=200, used_bytes=2**40, bound_bytes=2**40)
    placed = Decision(
        shard="s" * 40, reason="r" * 200, needs_bytes=2**40, looked_at=100, choices=(choice,) * 8
    )
    move = Move(
        source="s" * 40,
        target="t" * 40,
        reason="\u00e9" * REASON_LENGTH,
        bytes=2**50,
        began=NOW.isoformat(),
        why="\u00e9" * REASON_LENGTH,
        avoided={f"{n}{'s' * 39}": NOW.isoformat() for n in range(MAX_AVOIDED)},
        placed=placed,
    )
    text = move.metadata()
    assert len(text.encode()) < 3000
    assert Move.decode(text) == move.model_copy(update={"placed": None})
