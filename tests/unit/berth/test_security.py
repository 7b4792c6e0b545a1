"""docs/security.md against what is there: every file and test that it names, and how many models."""

import re
from pathlib import Path

import pytest

from tests.support import hostile, hostile_bytes, hostile_graphs, hostile_loads, probe_models

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "docs" / "security.md").read_text()
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in TEXT.split("## Identities")[0].splitlines()
    if line.startswith("|") and line.count("|") == 5 and "`" in line
]


def _public(module):
    """The functions of a module that make something hostile."""
    own = (f for f in vars(module).values() if getattr(f, "__module__", "") == module.__name__)
    return [f.__name__ for f in own if callable(f) and not f.__name__.startswith("_")]


def _built():
    """Every hostile input that the tests build by hand; the tools that build them left out."""
    tools = {
        *("graph", "edited", "write", "nested", "forbidden", "calling", "varint", "field", "bomb"),
        *("composite", "block", "table", "header", "entry", "files"),
        *(
            "on_init",
            "on_restore",
            "running",
            "running_in_function",
            "local_variable",
            "keyed_table",
        ),
    }
    edits = [
        name
        for module in (hostile, hostile_graphs, hostile_bytes, hostile_loads)
        for name in _public(module)
        if name not in tools
    ]
    lists = (
        hostile_graphs.FORBIDDEN,
        hostile_loads.AT_LOAD,
        hostile_bytes.ASSET_NAMES,
        hostile_bytes.INDEXES,
    )
    return len(edits) + sum(map(len, lists)) + len(hostile_bytes.MANIFESTS)


def test_the_table_is_read():
    assert len(ROWS) > 20


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:40])
def test_what_stops_it_and_what_shows_it_are_there(row):
    files = re.findall(r"`([\w/]+\.py)`", row[2])
    shown = re.findall(r"`([\w/]+\.py)`", row[3])
    assert files or row[2] == "all of these"
    assert shown
    for name in files:
        assert (ROOT / "shared" / "berth" / name).is_file()
    for name in shown:
        assert "def test_" in (ROOT / "tests" / name).read_text()


def test_the_models_are_counted():
    found = re.search(r"build (\d+) hostile inputs .* export (\d+) ordinary models", TEXT)
    assert found
    hostile_inputs, ordinary = map(int, found.groups())
    assert (hostile_inputs, ordinary) == (_built(), len(set(probe_models.NAMES)))
    assert ordinary >= 20
