"""`python -m tests.simulation [placement] [tick] [stack] [burst] [loop] [SIZE ...]`: simulates, and writes
docs/performance.md and its plots. Sizes are for bursts and loops; none: those of the table.
"""

import os
import sys
import time
from collections.abc import Callable

from tests.simulation import compare, growing, report, stack, svg, tick

PHASES = ("growth", "churn", "decline", "freed")


def main() -> int:
    sizes = [int(word) for word in sys.argv[1:] if word.isdigit()]
    parts: dict[str, Callable[[], str]] = {
        "placement": placement,
        "tick": ticks,
        "stack": against_the_stack,
        "burst": lambda: growing.bursts(sizes or growing.BURSTS),
        "loop": lambda: growing.loops(sizes or growing.LOOPS),
    }
    chosen = [word for word in sys.argv[1:] if not word.isdigit()] or list(parts)
    if unknown := set(chosen) - set(parts):
        print(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(parts)}")
        return 2
    for part in chosen:
        began = time.monotonic()
        text = parts[part]()
        took = f"{time.monotonic() - began:.0f} s on {os.cpu_count()} processors"
        given = " ".join([part, *map(str, sizes)])
        report.write(part, f'`make simulate ONLY="{given}"`, {took}.\n\n{text}')
        print(f"{part}: {took}", flush=True)
    return 0


def placement() -> str:
    """The rules side by side."""
    rules = {name: compare.averaged(runs) for name, runs in compare.all_runs().items()}
    used = report.table(
        ("rule", "growth", "churn", "decline", "freed", "churn, reserve counted", "hottest / mean"),
        (
            (
                name,
                *(f"{run.ratio[phase]:.3f}" for phase in PHASES),
                f"{run.reserved['churn']:.3f}",
                f"{run.hottest['churn']:.2f}",
            )
            for name, run in rules.items()
        ),
    )
    moved = report.table(
        (
            "rule",
            "shards added",
            "GB moved an added shard",
            "shards freed",
            "GB moved a freed shard",
            "versions that did not fit beside the old one",
            "GB moved for them",
        ),
        (
            (
                name,
                f"{run.numbers['added']:.1f}",
                f"{run.numbers['moved an added']:.2f}",
                f"{run.numbers['freed']:.1f}",
                f"{run.numbers['moved a freed']:.2f}",
                f"{run.numbers['versions without room']:.0f}",
                f"{run.numbers['moved for them']:.1f}",
            )
            for name, run in rules.items()
        ),
    )
    lines = {name: [(n, used) for n, used, _ in run.series] for name, run in rules.items()}
    lines["lower bound"] = [(n, bound) for n, _, bound in rules["Berth"].series]
    shown = report.plot(
        "shards-used",
        svg.plot("Shards used (seed 7)", lines, x="events: growth, churn, decline", y="shards"),
    )
    return f"{used}\n\n{moved}\n\n{shown}"


def against_the_stack() -> str:
    """Seconds measured and simulated."""
    return report.table(("what", "stack, s", "simulated, s"), stack.rows())


def ticks() -> str:
    """An idle tick by the fleet's size."""
    rows = []
    for models, shards in ((100, 2), (1000, 10), (10_000, 100), (100_000, 1000)):
        found = tick.over_twins(models, shards)
        asked = found["requests"]
        rows.append(
            (
                f"{models:,}",
                f"{shards:,}",
                asked["pages"],
                asked["get"],
                0 if found["outcome"] == "converged" else "some",
                f"{found['cpu_seconds']:.2f}",
            )
        )
    return report.table(("models", "shards", "pages listed", "gets", "writes", "CPU seconds"), rows)


if __name__ == "__main__":
    sys.exit(main())
