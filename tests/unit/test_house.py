"""The rules of the house that no linter knows: sizes, pins, and what the project may mention."""

import ast
import re
from pathlib import Path

import pytest

from infra.dependencies import locks

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(
    path
    for folder in ("shared", "functions", "infra", "tests")
    for path in (ROOT / folder).rglob("*.py")
    if not path.name.endswith("_pb2.py")
)
FUNCTIONS = sorted(path.parent for path in ROOT.glob("functions/*/main.py"))


def _pins(path):
    lines = (line.split("#")[0].strip() for line in path.read_text().splitlines())
    return {line for line in lines if line}


def test_no_file_is_longer_than_300_lines():
    long = {
        str(path.relative_to(ROOT)): count
        for path in SOURCES
        if "allowed_ops" not in path.name and (count := path.read_text().count("\n")) > 300
    }
    assert long == {}


def test_no_function_is_longer_than_40_lines():
    long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in SOURCES
        if "tests" not in path.parts
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno - node.lineno + 1 > 40
    ]
    assert long == []


@pytest.mark.parametrize("folder", FUNCTIONS, ids=lambda folder: folder.name)
def test_a_function_is_an_edge_and_pins_only_what_the_project_pins(folder):
    assert (folder / "main.py").read_text().count("\n") <= 15
    assert _pins(folder / "requirements.txt") <= _pins(ROOT / "requirements.txt")


def _locked(folder):
    return locks.read(folder / "requirements.lock")


def _lines(lock):
    return {f"{pin.name}=={pin.version}" for pin in lock.values()}


def _normalized(pins):
    return {pin.lower().replace("_", "-") for pin in pins}


def test_only_the_probe_installs_tensorflow_and_only_the_reconciler_kubernetes():
    def users(package):
        return {folder.name for folder in FUNCTIONS if package in _locked(folder)}

    assert users("tensorflow-cpu") == {"probe_model"}
    assert users("kubernetes") == {"reconcile_shard"}


def test_every_pin_has_its_reason():
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    assert [line for line in lines if "==" in line and "#" not in line] == []


# What is not at hand as a pinned, hashed file of the index is refused by locks.read already.
LOCKS = [
    ROOT / "requirements.lock",
    *(folder / "requirements.lock" for folder in FUNCTIONS),
    *sorted((ROOT / "infra" / "dependencies" / "tools").glob("*.lock")),
]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_lock_holds_every_pin_of_its_requirements_and_no_address(lock):
    assert _normalized(_pins(lock.with_suffix(".txt"))) <= _lines(locks.read(lock))
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links|@|/", lock.read_text())


@pytest.mark.parametrize("folder", FUNCTIONS, ids=lambda folder: folder.name)
def test_a_function_is_deployed_with_the_very_files_that_are_tested(folder):
    assert _locked(folder).items() <= _locked(ROOT).items()
