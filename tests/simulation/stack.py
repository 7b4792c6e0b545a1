"""What calls cost on the local stack, so that the simulation can be held against docs/bench.json.

Requests on loopback take milliseconds; all functions, servers and emulators share two processors. A call's
processor time is set so that one upload's stages come out as measured; nothing is set from a burst.
"""

import json

from infra.functions import ROOT
from tests.simulation import burst
from tests.simulation.priced import Costs

STACK = Costs(
    read=0.004,
    listing=0.006,
    write=0.006,
    publish=0.004,
    server=0.004,
    cluster=0.01,
    event=0.03,
    child=0.35,
    processors=2,
    cpu={"uploaded": 0.02, "customers": 0.04, "admissions": 0.05, "shards": 0.06, "ticks": 0.1},
)


def rows() -> list[tuple[str, str, str]]:
    """(what, measured on the stack, simulated), in seconds."""
    bench = json.loads((ROOT / "docs" / "bench.json").read_text())
    totals = sorted(sample["total"] for sample in bench["served"])
    count, served = bench["burst"]["uploads"], bench["burst"]["served_seconds"]
    one = burst.run(1, room=True, costs=STACK)
    sent = bench["burst"]["sent_seconds"]
    many = burst.run(count, room=True, costs=STACK, spread=sent)
    return [
        (
            "one upload to AVAILABLE / one upload and a sign-up to SERVING",
            f"{totals[len(totals) // 2]:.1f}",
            f"{one.all:.1f}",
        ),
        (
            f"{count} uploads and {count} sign-ups: the first",
            f"{served['first']:.1f}",
            f"{many.first:.1f}",
        ),
        ("half", f"{served['p50']:.1f}", f"{many.half:.1f}"),
        ("all", f"{served['all']:.1f}", f"{many.all:.1f}"),
    ]
