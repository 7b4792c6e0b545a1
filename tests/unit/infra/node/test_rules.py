"""Back-off, probe thresholds, label selectors, addresses: the small rules of the node."""

import pytest

from infra.local.node import selectors
from infra.local.node.addresses import Addresses
from infra.local.node.backoff import Backoff
from infra.local.node.gate import Gate


def test_backoff_doubles_from_the_second_restart_to_its_cap():
    delays, backoff = [], Backoff()
    for _ in range(8):
        backoff = backoff.ended(1)
        delays.append(backoff.delay)
    assert delays == [0, 10, 20, 40, 80, 160, 300, 300]


def test_a_long_run_starts_the_count_anew():
    backoff = Backoff().ended(1).ended(1).ended(1)
    assert backoff.delay == 20
    assert backoff.ended(601).delay == 0


@pytest.mark.parametrize(
    ("gate", "answers", "verdicts"),
    [
        (Gate(1, 3), "-++", [None, True, True]),
        (Gate(1, 3), "+--+---", [True, True, True, True, True, True, False]),
        (Gate(2, 1), "-+-++", [False, False, False, False, True]),
        (Gate(1, 3), "--", [None, None]),
    ],
)
def test_a_verdict_changes_after_enough_answers_in_a_row(gate, answers, verdicts):
    told = []
    for answer in answers:
        gate = gate.record(answer == "+")
        told.append(gate.verdict)
    assert told == verdicts


@pytest.mark.parametrize(
    ("selector", "matches"),
    [
        ("", True),
        ("a=1", True),
        ("a==1,b.dev/c=x", True),
        ("a=2", False),
        ("a!=2", True),
        ("a in (1, 2)", True),
        ("a notin (1,2)", False),
        ("z notin (1)", True),
        ("a", True),
        ("!a", False),
        ("!z, a=1", True),
    ],
)
def test_selectors(selector, matches):
    assert selectors.matches(selector, {"a": "1", "b.dev/c": "x"}) is matches


@pytest.mark.parametrize("selector", ["a>1", "=", "a in 1", "a=1,,"])
def test_what_is_no_selector_is_refused(selector):
    with pytest.raises(ValueError, match="no label selector"):
        selectors.matches(selector, {"a": "1"})


def test_an_address_is_not_used_again_while_others_are_fresh():
    pool = Addresses("127.20.0.0/29")
    first = pool.take()
    pool.give_back(first)
    assert first == "127.20.0.1"
    assert [pool.take() for _ in range(5)] == [f"127.20.0.{n}" for n in range(2, 7)]
    assert pool.take() == first
    with pytest.raises(RuntimeError, match="no address"):
        pool.take()


def test_an_address_of_before_is_kept_if_it_is_free_and_ours():
    pool = Addresses("127.20.0.0/29")
    assert pool.take("127.20.0.5") == "127.20.0.5"
    assert pool.take("127.20.0.5") == "127.20.0.1"
    assert pool.take("127.99.0.5") == "127.20.0.2"


def test_only_loopback_can_be_shared_out():
    with pytest.raises(ValueError, match="loopback"):
        Addresses("10.0.0.0/16")
