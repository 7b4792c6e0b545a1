"""`python -m infra.smoke > docs/unproven.md` writes the list of checks."""

import sys

from infra.smoke.running import document

if __name__ == "__main__":
    sys.stdout.write(document())
