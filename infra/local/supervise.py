"""Keeps a stack until SIGTERM: `python -m infra.local.supervise FOLDER OPTIONS`."""

import json
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import psutil
import requests

from infra import functions
from infra.local import layout, ports, site
from infra.local.layout import Options
from infra.local.setup import Tools
from infra.local.state import Folder, write_environment
from infra.local.supervisor import Stopped, Supervisor


def encode(options: Options, tools: Tools) -> str:
    """The command line's OPTIONS."""
    return json.dumps({"options": asdict(options), "tools": asdict(tools)}, default=str)


def _decode(text: str) -> tuple[Options, Tools]:
    raw = json.loads(text)
    paths = {name: Path(one) if one else None for name, one in raw["tools"].items()}
    options = raw["options"]
    options |= {"table": Path(options["table"]), "without": tuple(options["without"])}
    return Options(**options), Tools(**paths)  # type: ignore[arg-type]  # only kubernetes may be None


def main() -> int:
    """Run the stack; 0 after it was told to stop, 1 when it did not come up."""
    folder = Folder(Path(sys.argv[1]))
    options, tools = _decode(sys.argv[2])
    begun = time.monotonic()
    supervisor = Supervisor(folder, _say)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: supervisor.stopping.set())
    network, claim = ports.claim_network()
    with claim:
        try:
            here = site.choose(folder, tools, functions.read(options.table), network)
            planned = layout.plan(here, options)
            supervisor.start(planned.nodes)
            write_environment(folder.environment, planned.environment)
            supervisor.mark("ready")
            _say(f"ready in {time.monotonic() - begun:.1f} s")
            supervisor.watch(_owned(options.owner, supervisor))
        except Stopped:
            _say("stopped while starting")
        except (RuntimeError, ValueError, requests.RequestException) as error:
            # StartError, TableError, BundleError, and what a step says when it fails.
            _say(str(error))
            return 1
        finally:
            supervisor.stop()
    return 0


def _owned(owner: int | None, supervisor: Supervisor) -> Callable[[], None]:
    def check() -> None:
        if owner is not None and not psutil.pid_exists(owner):
            _say(f"process {owner}, which this stack belongs to, is gone")
            supervisor.stopping.set()

    return check


def _say(text: str) -> None:
    print(f"{datetime.now(UTC):%H:%M:%S} {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
