"""docs/reliability.md against what is there: every trap has its test, and every test its trap."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
TRAPS = (ROOT / "docs" / "reliability.md").read_text().split("## Traps")[1].split("\n## ")[0]
ROWS = [line.strip("|").split("|") for line in TRAPS.splitlines() if line.startswith("| ")][1:]
TESTS = re.findall(
    r"^def (test_\w+)", (ROOT / "tests/integration/traps/test_traps.py").read_text(), re.MULTILINE
)


def test_every_trap_has_its_test_and_every_test_its_trap():
    assert sorted(row[2].strip(" `") for row in ROWS) == sorted(TESTS)
    assert len(TESTS) >= 8


def test_where_the_server_shows_the_trap_there_are_tests():
    for row in ROWS:
        assert "def test_" in (ROOT / row[3].strip(" `")).read_text()
