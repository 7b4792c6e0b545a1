"""Fuzzes every parser of untrusted bytes for a while: `python -m tests.fuzz --seconds 600`."""

import argparse
import resource
import sys
import time
from pathlib import Path

from tests.fuzz.parsers import PARSERS, Found, fuzz

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- fuzzing: written by make fuzz -->\n", "<!-- end of fuzzing -->"


def rounds(parser, seconds, seed):
    """Feed one parser for so long, each round from another seed."""
    found, begun = Found(parser), time.monotonic()
    while time.monotonic() - begun < seconds:
        fuzz(parser, examples=500, seed=seed, found=found)
        seed += 1
    return found


def write(table):
    """Put the table between its marks."""
    head, begin, rest = DOCUMENT.read_text().partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{DOCUMENT} has no place for fuzzing")
    DOCUMENT.write_text(f"{head}{begin}{table}\n{end}{tail}")


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=600.0, help="in all")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--write", action="store_true", help="put the table into its document")
    options = options.parse_args()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rows = [
        "| parser | executions | refused | faults | slowest input |",
        "|---|---:|---:|---:|---:|",
    ]
    total = 0
    for parser in PARSERS:
        found = rounds(parser, options.seconds / len(PARSERS), options.seed)
        total += found.executions
        print(f"{parser.name}: {found.executions}", file=sys.stderr, flush=True)
        counts = f"{found.executions:,} | {found.refused:,} | 0"
        rows.append(f"| {parser.name} | {counts} | {1000 * found.slowest:.0f} ms |")
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10
    rows.append(f"| **all** | **{total:,}** | | **0** | |")
    rows.append(f"\n{options.seconds:.0f} s, from seed {options.seed}; memory grew by {grown} MiB.")
    table = "\n".join(rows)
    print(table)
    if options.write:
        write(table)


if __name__ == "__main__":
    main()
