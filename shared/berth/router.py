"""The sidecar of a router: `python -m berth.router` follows the fleet and writes Envoy's files until it is ended."""

import signal
import threading

import structlog

from berth import bootstrap_router, telemetry
from berth.domain.errors import BerthError

LOG = structlog.get_logger()
POLL_SECONDS = 1.0  # between looks at the routes; of replicas it is told at once


def main() -> None:
    """Run until SIGTERM."""
    telemetry.configure()
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    follow(bootstrap_router.sidecar(), stopping)


def follow(sidecar: bootstrap_router.Sidecar, stopping: threading.Event) -> None:
    """Take rounds until told to stop; what fails is tried again in the next."""
    while not stopping.is_set():
        try:
            if changed := sidecar.round():
                LOG.info("routes written", actions=changed)
        except BerthError as error:
            LOG.warning("no routes can be written", reason=str(error))
        sidecar.wait(POLL_SECONDS)


if __name__ == "__main__":
    main()
