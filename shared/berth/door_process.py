"""The process of a router's Envoy: `start` becomes Envoy once its files are there, `drain` lets its clients go.

Both read the sidecar's folder alone, so that Envoy's container needs no credentials.
"""

import os
import sys
from pathlib import Path

from berth import settings
from berth.adapters.clock import SystemClock
from berth.adapters.envoy import FolderEnvoy
from berth.app.route_fleet import BOOTSTRAP
from berth.ports import Clock

PROGRAM = "envoy"
OPTIONS = ("--disable-hot-restart", "--log-level", "warning")
LOOK_SECONDS = 0.1
# Endpoints are told everywhere within seconds; then nobody new comes, and a request has its 30 s.
LEAVE_SECONDS, ANSWER_SECONDS = 10, 40


def start(folder: Path, clock: Clock) -> None:
    """Wait for the sidecar's first files, then become Envoy."""
    bootstrap = folder / BOOTSTRAP
    while not bootstrap.exists():
        clock.sleep(LOOK_SECONDS)
    os.execvp(PROGRAM, (PROGRAM, "-c", str(bootstrap), *OPTIONS))


def drain(envoy: FolderEnvoy, clock: Clock) -> None:
    """Ask clients to go elsewhere; return when they have gone and what they asked is answered."""
    envoy.drain()
    clock.sleep(LEAVE_SECONDS)
    for _ in range(ANSWER_SECONDS):
        if not envoy.active():
            return
        clock.sleep(1)


def main() -> None:
    """`start` or `drain`."""
    given = settings.load(settings.DoorSettings)
    if sys.argv[1:] == ["drain"]:
        drain(FolderEnvoy(Path(given.folder), Path(given.admin)), SystemClock())
    else:
        start(Path(given.folder), SystemClock())


if __name__ == "__main__":
    main()
