"""Where the building of tools tells how far it is."""

import sys


def say(text: str) -> None:
    """One line on standard error, at once: standard output is for results."""
    print(text, file=sys.stderr, flush=True)
