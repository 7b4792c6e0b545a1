"""Fuzzes every parser of untrusted bytes for a while: `python -m tests.fuzz --seconds 600`."""

import argparse
import resource
import time

from tests.fuzz.parsers import PARSERS, Found, fuzz


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=600.0, help="in all")
    options.add_argument("--seed", type=int, default=1)
    options = options.parse_args()
    share = options.seconds / len(PARSERS)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print("| parser | executions | refused | slowest input | memory so far |")
    print("|---|---|---|---|---|")
    for parser in PARSERS:
        found, begun, seed = Found(parser), time.monotonic(), options.seed
        while time.monotonic() - begun < share:
            fuzz(parser, examples=500, seed=seed, found=found)
            seed += 1
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10
        cells = (parser.name, f"{found.executions:,}", f"{found.refused:,}")
        print(f"| {' | '.join(cells)} | {1000 * found.slowest:.0f} ms | +{grown} MiB |", flush=True)


if __name__ == "__main__":
    main()
