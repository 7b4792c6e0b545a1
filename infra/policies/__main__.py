"""Prints what breaks a policy without a reason; exits with 1 where something does."""

import sys
import tempfile
from pathlib import Path

from infra import functions
from infra.policies import reasons, scan, targets


def check() -> list[str]:
    """What breaks a policy in the project without a reason, one line each."""
    with tempfile.TemporaryDirectory(prefix="berth-policies-") as name:
        folder, scratch = Path(name, "targets"), Path(name, "scratch")
        folder.mkdir()
        targets.write(folder, scratch)
        return scan.problems(scan.scan(folder), reasons.read(functions.ROOT))


def main() -> None:
    """Check, print, exit."""
    if found := check():
        sys.exit("\n".join(found))
    print("no policy is broken without a reason")


if __name__ == "__main__":
    main()
