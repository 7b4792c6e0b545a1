"""Bursts and loops of growing size, as tables and plots.

Each run leaves its figures in build/simulation; a table shows all sizes that were run.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TypeVar

from infra.functions import ROOT
from tests.simulation import burst, loop, report, svg

F = TypeVar("F", burst.Found, loop.Found)
KEPT = ROOT / "build" / "simulation"

BURSTS = (10, 100, 1000)
LOOPS = (10, 100, 1000, 10_000, 100_000)
KINDS = ("sign-up", "model", "version")


def bursts(sizes: Sequence[int]) -> str:
    """Bursts onto shards with room."""
    found = _kept("burst", sizes, lambda size: burst.run(size, room=True), burst.Found)
    told = report.table(
        (
            "sign-ups and uploads",
            "shards",
            "first serves, s",
            "half, s",
            "all, s",
            "bound, s",
            "all / bound",
            "lost",
            "most writes to one object in 10 s",
        ),
        (
            (
                f"{one.count:,} + {one.count:,}",
                one.shards,
                f"{one.first:.1f}",
                f"{one.half:.1f}",
                f"{one.all:.1f}",
                f"{one.bound:.1f}",
                f"{one.all / one.bound:.2f}",
                one.lost,
                busiest(one.busiest),
            )
            for one in found
        ),
    )
    lines = {f"{one.count:,} + {one.count:,}": _shares(one) for one in found}
    shown = svg.plot("Models that serve after a burst", lines, x="seconds", y="share that serves")
    return f"{told}\n\n{report.plot('burst', shown)}"


def loops(sizes: Sequence[int]) -> str:
    """The control loop by the fleet's size."""
    return told(_kept("loop", sizes, loop.run, loop.Found))


def _kept(kind: str, sizes: Sequence[int], run: Callable[[int], F], made: type[F]) -> list[F]:
    """Run these sizes; return all that were run, the smallest first."""
    KEPT.mkdir(parents=True, exist_ok=True)
    for size in sizes:
        (KEPT / f"{kind}-{size}.json").write_text(json.dumps(asdict(run(size))))
    files = KEPT.glob(f"{kind}-*.json")
    by_size = sorted(files, key=lambda file: int(file.stem.rpartition("-")[2]))
    return [made(**json.loads(file.read_text())) for file in by_size]


def told(found: Sequence[loop.Found]) -> str:
    """Loops as a table and a plot."""
    rows = []
    for one in found:
        served = [_quantiles(one.served.get(kind, [])) for kind in KINDS]
        rows.append(
            (
                f"{one.models:,}",
                f"{one.shards:,}",
                f"{one.replicas:,}",
                *served,
                len(one.lost),
                one.idle_writes,
                busiest(one.busiest),
                one.moved,
                f"{one.fullest:.2f}",
                one.most_models,
                f"{one.cpu:.0f}",
            )
        )
    head = (
        *("models", "shards", "replicas"),
        *(f"{kind}: p50 / p95 / most, s" for kind in KINDS),
        *(
            "lost",
            "writes in an idle minute",
            "most writes to one object in 10 s",
            "models placed anew",
        ),
        *("fullest replica / bound", "most models", "CPU seconds"),
    )
    lines = {
        kind: [(one.models, _at(one.served[kind], 0.5)) for one in found if one.served.get(kind)]
        for kind in KINDS
    }
    plotted = svg.plot(
        "Time to served, median", lines, x="models in the fleet", y="simulated seconds", log_x=True
    )
    return f"{report.table(head, rows)}\n\n{report.plot('loop', plotted)}"


def busiest(found: dict[str, int]) -> str:
    """The kinds of object that were written most often."""
    most = sorted(found.items(), key=lambda item: -item[1])[:3]
    return ", ".join(f"{kind.rpartition('/')[2]} {count}" for kind, count in most)


def _quantiles(values: list[float]) -> str:
    if not values:
        return "-"
    return f"{_at(values, 0.5):.1f} / {_at(values, 0.95):.1f} / {max(values):.1f} ({len(values)})"


def _at(values: Sequence[float], share: float) -> float:
    listed = sorted(values)
    return listed[min(len(listed) - 1, int(share * len(listed)))]


def _shares(one: burst.Found) -> list[tuple[float, float]]:
    return [(0.0, 0.0), *((at, number / (2 * one.count)) for at, number in one.series)]
