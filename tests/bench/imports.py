"""What an instance of each function costs before its first event: seconds and memory of its bundle."""

import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from infra import bundle, functions
from tests.support import access

RUNS = 5
_PROGRAM = """
import sys, time
def rss():
    with open("/proc/self/status") as file:
        return int(next(row for row in file if row.startswith("VmRSS")).split()[1]) / 1024
sys.modules["rich"] = None  # the demo's: no function requires it, and structlog would load it
before, began = rss(), time.perf_counter()
sys.path.insert(0, ".")
import main
imported, at = rss(), time.perf_counter()
from berth import bootstrap
getattr(bootstrap, sys.argv[1])()
print(at - began, time.perf_counter() - at, imported - before, rss() - before)
"""


def measure(scratch: Path) -> dict[str, dict[str, float]]:
    """Medians of fresh `python -I` processes in staged bundles, byte code warm as in an image.

    `import` is what loading main.py takes, `build` what the first event adds: clients and adapters.
    """
    table = functions.read()
    names = {name for row in table.values() for name in _placeholders(row.environment.values())}
    values = {name: f"projects/p/topics/{name.lower()}" for name in names} | {
        "BERTH_PROBE_URL": "http://127.0.0.1:9",
        "BERTH_CLUSTER_ENDPOINT": "https://127.0.0.1:9",
        "BERTH_CLUSTER_AUTHORITY": access.another_authority(),
    }
    filled = functions.fill(table, values)
    runs: dict[str, list[list[float]]] = {name: [] for name in table}
    # In rounds: what else the machine does meets all functions alike. The first one warms.
    for _ in range(RUNS + 1):
        for name, row in table.items():
            runs[name].append(_once(row, filled[name], scratch))
    return {name: _medians(found[1:]) for name, found in runs.items()}


def _placeholders(texts: Any) -> set[str]:
    return {text[2:-1] for text in texts if text.startswith("${")}


def _once(row: functions.Function, environment: dict[str, str], scratch: Path) -> list[float]:
    emulators = {
        "STORAGE_EMULATOR_HOST": "http://127.0.0.1:9",
        "PUBSUB_EMULATOR_HOST": "127.0.0.1:9",
    }
    done = subprocess.run(
        [sys.executable, "-I", "-c", _PROGRAM, row.name],
        cwd=bundle.stage(row, scratch / "bundles"),
        env={"PATH": os.environ["PATH"], **emulators, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return [float(text) for text in done.stdout.split()]


def _medians(runs: list[list[float]]) -> dict[str, float]:
    keys = ("import_seconds", "build_seconds", "import_mib", "built_mib")
    medians = map(statistics.median, zip(*runs, strict=True))
    return dict(zip(keys, medians, strict=True))
