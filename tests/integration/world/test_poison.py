"""Every cell of the poison matrix: `python -m tests.reliability.poison` shows them as a table."""

import pytest

from berth.domain import deaths, pilot, turns
from tests.reliability import poison
from tests.reliability.poison_kinds import KINDS
from tests.reliability.poison_situations import SITUATIONS
from tests.reliability.speed import fast

BY_NAME = {kind.name: kind for kind in KINDS}
WHEN = {situation.name: situation for situation in SITUATIONS}
AT_LOAD = "ends the process at its load, by memory"
AT_REQUEST = "ends the process that is asked for it"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_poison_harms_itself_alone(kind):
    for situation in SITUATIONS:
        with fast():
            cell = poison.run(kind, situation)
        assert not cell.problems, cell
        assert cell.whole == cell.replicas >= 2


@pytest.mark.parametrize(
    ("kind", "situation", "guard", "without", "problem"),
    [
        (AT_LOAD, "while a replica starts", (pilot, "_last_one"), False, "was away"),
        (AT_LOAD, "a second version", (pilot, "first"), None, "processes died"),
        (AT_REQUEST, "among others", (turns, "_trial"), False, "other models do not serve"),
        (AT_LOAD, "a second version", (deaths, "crashed"), False, "processes died"),
    ],
)
def test_the_matrix_sees_what_a_missing_guard_does(
    kind, situation, guard, without, problem, monkeypatch
):
    everyone = {"first": lambda seen, **more: seen.serving}
    monkeypatch.setattr(*guard, everyone.get(guard[1], lambda *args: without))
    with fast():
        cell = poison.run(BY_NAME[kind], WHEN[situation])
    assert any(problem in said for said in cell.problems), cell
