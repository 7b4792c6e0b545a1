"""Mutation testing: its table of modules, and the reasons of those that survive."""

import json

import pytest

from infra import mutants
from infra.dependencies import locks


@pytest.mark.parametrize("target", mutants.TARGETS)
def test_a_module_and_the_tests_that_are_asked_about_it_are_there(target):
    assert (locks.ROOT / "shared" / "berth" / f"{target}.py").is_file()
    assert mutants.TARGETS[target]
    for test in mutants.TARGETS[target]:
        assert (locks.ROOT / test).is_file()


def test_every_survivor_that_is_explained_is_of_a_module_that_is_tried():
    modules = {"berth." + target.replace("/", ".") for target in mutants.TARGETS}
    for name in mutants.explained():
        module, _, change = name.rpartition(".")
        assert module in modules
        assert change.startswith(("x_", "xǁ"))


@pytest.fixture
def lease(monkeypatch, tmp_path):
    """What a run found out: one noticed, one survived, one that no test runs, one not tried, one timed out."""
    monkeypatch.setattr(mutants.environment, "cache", lambda: tmp_path)
    meta = tmp_path / "mutants" / "domain-lease" / "mutants" / "berth" / "domain" / "lease.py.meta"
    meta.parent.mkdir(parents=True)
    codes = {"m_10": 0, "m_2": 33, "m_3": 1, "m_4": None, "m_5": -24}
    meta.write_text(json.dumps({"exit_code_by_key": codes}))
    return meta


def test_what_is_known_is_counted_and_told_in_order(lease):
    tried = mutants.read("domain/lease")
    assert tried.survivors == ("m_2", "m_10")
    assert tried.row() == "| `domain/lease.py` | 5 | 2 | 2 | 1 | 50 % |"


def test_nothing_is_known_of_what_was_never_tried(lease):
    assert mutants.read("edge").row() == "| `edge.py` | 0 | 0 | 0 | 0 | 0 % |"


def test_after_tests_were_added_only_what_no_test_noticed_in_time_is_tried_again(lease):
    mutants._retry("domain/lease")
    assert json.loads(lease.read_text())["exit_code_by_key"] == {
        "m_10": None,
        "m_2": None,
        "m_3": 1,
        "m_4": None,
        "m_5": None,
    }
    mutants._retry("edge")
