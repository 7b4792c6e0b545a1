"""`python -m infra.local up|down|env|logs [--dir DIR]`: the local stack from the command line."""

import argparse
import os
import sys
from pathlib import Path

from infra import functions
from infra.local import setup, stack, state
from infra.local.layout import Options
from infra.local.state import Folder

_NEXT = """
The stack is up; `make down` stops it. In each shell first:

    source {environment}

Three things to try:

    kubectl get pods --all-namespaces
    curl $BERTH_STATUS_URL/fleet
    curl "http://$PUBSUB_EMULATOR_HOST/v1/${{BERTH_CUSTOMER_TOPIC}}:publish" \\
        -H content-type:application/json -d '{{"messages": [{{"data": "'$(base64 -w0 <<< \\
        '{{"type": "customer.signed_up", "customer": "acme", "plan": "standard"}}')'"}}]}}'
"""


def main() -> int:
    """Run one command; 0 when it did what was asked."""
    options = _arguments()
    folder = Folder(options.dir.resolve())
    commands = {"up": _up, "down": _down, "env": _env, "logs": _logs}
    if options.command != "up":
        _repeat_notes(folder)
    try:
        return commands[options.command](folder, options)
    except KeyboardInterrupt:
        print("interrupted: everything that was started is stopped", file=sys.stderr)
        return 130


def _arguments() -> argparse.Namespace:
    default = Path(os.environ.get("BERTH_LOCAL") or functions.ROOT / ".local")
    parser = argparse.ArgumentParser(prog="python -m infra.local", description=__doc__)
    parser.add_argument("command", choices=("up", "down", "env", "logs"))
    parser.add_argument("part", nargs="?", help="logs: the part whose log is printed")
    parser.add_argument("--dir", type=Path, default=default, help="the stack's folder")
    parser.add_argument(
        "--table", type=Path, default=functions.TABLE, help="another functions.yaml"
    )
    parser.add_argument("--no-cluster", action="store_true", help="without Kubernetes")
    return parser.parse_args()


def _up(folder: Folder, options: argparse.Namespace) -> int:
    wanted = Options(table=options.table.resolve(), cluster=not options.no_cluster)
    try:
        running = stack.start(folder.path, wanted, say=lambda text: print(text, flush=True))
    except stack.AlreadyUp as error:
        _repeat_notes(folder)
        print(error)
        return 0
    except (stack.NotStarted, state.NotAStack, setup.Missing, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    print(_NEXT.format(environment=running.folder.environment))
    return 0


def _down(folder: Folder, _: argparse.Namespace) -> int:
    print("stopped" if stack.stop(folder.path) else f"no stack in {folder.path}")
    return 0


def _env(folder: Folder, _: argparse.Namespace) -> int:
    if not folder.environment.exists():
        print(f"no stack in {folder.path}", file=sys.stderr)
        return 1
    print(folder.environment.read_text(), end="")
    return 0


def _logs(folder: Folder, options: argparse.Namespace) -> int:
    log = folder.logs / f"{options.part}.log" if options.part else folder.log
    if not log.exists():
        known = ", ".join(sorted(one.stem for one in folder.logs.glob("*.log")))
        print(f"no log of {options.part!r}; there are: {known}", file=sys.stderr)
        return 1
    print(log.read_text(errors="replace"), end="")
    return 0


def _repeat_notes(folder: Folder) -> None:
    found = folder.read()
    if found is None:
        return
    for note in found.notes:
        print(f"died: {note}", file=sys.stderr)
    if not found.supervisor.alive():
        print("the stack's supervisor is gone: `make down` ends what it left", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
