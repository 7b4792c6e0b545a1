"""`python -m tests.reliability`: the whole crash matrix and the orders, told in tables.

--share 0.1 tries a tenth, drawn by --seed; --story part of a name; --write puts the tables into
docs/reliability.md. Ends with 1 when anything did not survive.
"""

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from tests.reliability import matrix, orders, report, stories
from tests.reliability.speed import fast


def crash(job):
    """Try the faults of one story, told in one of two ways."""
    name, share, seed, overtake = job
    with fast():
        return matrix.run(stories.BY_NAME[name], share=share, seed=seed, overtake=overtake)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.reliability", description=__doc__)
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--story", default="")
    parser.add_argument("--orders", type=int, default=2000)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    names = [story.name for story in stories.STORIES if options.story in story.name]
    jobs = [(n, options.share, options.seed, way) for n in names for way in (False, True)]
    began = time.monotonic()
    with ProcessPoolExecutor(2) as pool:
        both = list(pool.map(crash, jobs))
        counts, wrong = orders.everything(pool, options.orders, options.seed)
    results = [one.with_other(other) for one, other in zip(both[::2], both[1::2], strict=True)]
    asked = " ".join(["python -m tests.reliability", *sys.argv[1:]])
    tables = {
        "command": f"Written by `{asked}`: {options.share:.0%} of the crash points.",
        "crash points": report.crashes(results),
        "kinds of failure": report.kinds(results),
        "orders": report.order(counts),
    }
    for table in tables.values():
        print(table, end="\n\n")
    print(f"{time.monotonic() - began:.0f} s")
    failures = [f"{r.story}: {line}" for r in results for line in r.failures] + wrong
    for line in failures:
        print(line, file=sys.stderr)
    if options.write and not failures:
        report.write(tables)
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
