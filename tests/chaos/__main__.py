"""`python -m tests.chaos`: rounds of chaos, samples of SIGKILL or stalls, as a table; not 0 where a promise broke."""

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.chaos import play, samples, schedule, stalls
from tests.reliability import report


def table(rounds, seconds):
    """One row a round, and how often each part was killed."""
    rows = [
        "| seed | kills | predictions | a second | failed in flight on a killed server"
        " | connections refused | uploads | whole again after | lost |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for one in rounds:
        rows.append(
            f"| {one.seed} | {len(one.kills)} | {one.sent:,} | {one.per_second:.0f} | {one.in_flight}"
            f" | {one.refused} | {one.uploads} | {one.settled:.0f} s | {len(one.broken)} |"
        )
    kills = Counter(kill.target for one in rounds for kill in one.kills)
    told = ", ".join(f"{name} {kills[name]}" for name in schedule.EVERYTHING)
    return "\n".join([*rows, "", f"{seconds:g} s of kills a round. Killed: {told}."])


def main():
    """Play the rounds; 1 where a promise broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--write", action="store_true", help="write docs/reliability.md")
    parser.add_argument(
        "--samples", type=int, default=0, help="kill each function so often instead"
    )
    parser.add_argument(
        "--stalls",
        type=int,
        default=0,
        help="stop each function that takes leases so often instead",
    )
    options = parser.parse_args()
    if options.samples:
        return _sample(options)
    if options.stalls:
        return _stall(options)
    rounds = []
    for seed in range(options.seed, options.seed + options.rounds):
        with tempfile.TemporaryDirectory(prefix="berth-chaos-") as folder:
            rounds.append(play.play(Path(folder), seed, options.seconds))
        print(table(rounds[-1:], options.seconds), flush=True)
        if rounds[-1].broken:
            print(rounds[-1].told(), file=sys.stderr, flush=True)
    broken = any(one.broken for one in rounds)
    if options.write and not broken:
        report.write({"chaos": table(rounds, options.seconds)}, by="make chaos")
    return int(broken)


def _sample(options):
    with tempfile.TemporaryDirectory(prefix="berth-samples-") as folder:
        killed, left = samples.sample(Path(folder), options.seed, options.samples)
    for line in left:
        print(line, file=sys.stderr)
    rows = ["| function | killed | lost |", "|---|---:|---:|"]
    rows += [f"| {part} | {killed[part]} | {len(left)} |" for part in samples.FUNCTIONS]
    print("\n".join(rows), flush=True)
    if options.write and not left:
        report.write({"samples": "\n".join(rows)}, by="make chaos")
    return int(bool(left))


def _stall(options):
    with tempfile.TemporaryDirectory(prefix="berth-stalls-") as folder:
        stood, left = stalls.stall(Path(folder), options.seed, options.stalls)
    for line in left:
        print(line, file=sys.stderr)
    rows = ["| function | stalled | seconds it stood still | lost |", "|---|---:|---|---:|"]
    for function, seconds in stood.items():
        told = ", ".join(f"{one:.0f}" for one in seconds)
        rows.append(f"| {function} | {len(seconds)} | {told} | {len(left)} |")
    print("\n".join(rows), flush=True)
    if options.write and not left:
        report.write({"stalls": "\n".join(rows)}, by="make chaos")
    return int(bool(left))


if __name__ == "__main__":
    sys.exit(main())
