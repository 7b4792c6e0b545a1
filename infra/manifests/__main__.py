"""`python -m infra.manifests check`: names what is wrong in k8s/ by file and line; exit code 1 if any."""

import argparse
import sys
from pathlib import Path

from infra import manifests


def main() -> int:
    """Print every problem."""
    parser = argparse.ArgumentParser(prog="python -m infra.manifests", description=__doc__)
    parser.add_argument("command", choices=["check"])
    parser.add_argument("--folder", type=Path, default=manifests.FOLDER)
    try:
        found = manifests.check(parser.parse_args().folder)
    except manifests.ManifestError as error:
        print(error, file=sys.stderr)
        return 1
    for problem in found:
        print(problem)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
