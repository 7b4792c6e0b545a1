"""`python -m tests.bench [NAME ...]`: measures, and writes docs/bench.json and docs/bench.md.

With names (served, burst, idle, imports) only those are measured, and only printed. `burst=1000` is a
burst of as many sign-ups and uploads; 100 where nothing is said.
"""

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from infra import functions
from infra.demo.fleet import Fleet, until
from infra.local import stack
from infra.local.layout import Options
from tests.bench import burst, idle, imports, report, served
from tests.support import models

BEGAN = time.monotonic()
PARTS = ("imports", "served", "burst", "idle")


def main() -> int:
    chosen = tuple(word.partition("=")[0] for word in sys.argv[1:]) or PARTS
    sizes = {name: int(size) for name, _, size in (w.partition("=") for w in sys.argv[1:]) if size}
    if unknown := set(chosen) - set(PARTS):
        print(f"no such bench: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
        return 2
    scratch = Path(tempfile.mkdtemp(prefix="berth-bench-"))
    results: dict[str, Any] = {"machine": _machine(), "commit": _commit()}
    try:
        models.root()
        if "imports" in chosen:
            results["imports"] = _told("imports", lambda: imports.measure(scratch))
        if set(chosen) - {"imports"}:
            results |= _on_a_stack(scratch / "stack", chosen, sizes)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    results["load_after"] = round(os.getloadavg()[0], 2)
    results["seconds"] = round(time.monotonic() - BEGAN)
    text = report.markdown(results)
    print(text)
    if chosen == PARTS:
        docs = functions.ROOT / "docs"
        (docs / "bench.md").write_text(text)
        (docs / "bench.json").write_text(json.dumps(report.rounded(results), indent=1) + "\n")
    return 0


def _on_a_stack(folder: Path, chosen: tuple[str, ...], sizes: dict[str, int]) -> dict[str, Any]:
    options = Options(owner=os.getpid(), log_requests=True)
    results = {}
    with stack.start(folder, options, say=_say) as running:
        os.environ.update(running.environment)
        fleet = Fleet(running.environment)
        until("two replicas of two shards", lambda: len(fleet.replicas.ready()) >= 4)
        count = sizes.get("burst", burst.COUNT)
        measures = {
            "served": lambda: served.measure(running, fleet),
            "burst": lambda: burst.measure(running, fleet, count=count),
            "idle": lambda: idle.measure(running, fleet),
        }
        for name, measure in measures.items():
            if name in chosen:
                results[name] = _told(name, measure)
        results["died"] = running.notes
        fleet.replicas.close()
    return results


def _told(name: str, measure: Any) -> Any:
    began = time.monotonic()
    result = measure()
    _say(f"{name} measured in {time.monotonic() - began:.0f} s")
    return result


def _machine() -> dict[str, Any]:
    cpu = next(
        (
            row.split(":", 1)[1].strip()
            for row in Path("/proc/cpuinfo").read_text().splitlines()
            if row.startswith("model name")
        ),
        platform.processor(),
    )
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "memory_gib": round(pages / 1024**3),
        "load_before": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "at": datetime.now(UTC).isoformat(timespec="minutes"),
    }


def _commit() -> str:
    asked = ("git", "describe", "--always", "--dirty", "--abbrev=10")
    done = subprocess.run(asked, cwd=functions.ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def _say(text: str) -> None:
    print(f"{time.monotonic() - BEGAN:7.2f}  {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
