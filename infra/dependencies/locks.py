"""Reads and writes the locks: every package that is installed, by version and by the hashes of its files.

requirements.lock belongs to the developer's environment. A function's own lock stays within it, so what
is deployed is what was tested. The tools' locks, beside their requirements, stand alone.
"""

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from infra.dependencies import environment

ROOT = environment.ROOT
PROJECT = ROOT / "requirements.lock"
TOOLS = ROOT / "infra" / "dependencies" / "tools"
# glibc 2.28: older than that of the functions' run time and of every Linux that still gets updates.
_PLATFORM = "x86_64-manylinux_2_28"
# Envoy's wheel is built for glibc 2.31; no function installs it.
_PLATFORMS = {"infra/dependencies/tools/envoy.txt": "x86_64-manylinux_2_31"}
_COMPILE = ("--quiet", "--generate-hashes", "--only-binary", ":all:", "--no-annotate")
_PIN = re.compile(r"(?P<name>[a-z0-9][a-z0-9-]*)==(?P<version>[0-9][^ \\]*) \\")
_HASH = re.compile(r"    --hash=(?P<hash>sha256:[0-9a-f]{64})( \\)?")


class LockError(ValueError):
    """A lock is not what `make lock` writes."""


@dataclass(frozen=True, slots=True)
class Pin:
    """One package of a lock: normalized name, version, the hashes (sha256:...) of its files."""

    name: str
    version: str
    hashes: frozenset[str]


def read(lock: Path) -> dict[str, Pin]:
    """The packages of a lock by name, in its order. Raises LockError for a line of any other kind."""
    found: dict[str, tuple[str, set[str]]] = {}
    name = None
    for number, line in enumerate(lock.read_text().splitlines(), 1):
        if pin := _PIN.fullmatch(line):
            name = pin["name"]
            found[name] = (pin["version"], set())
        elif (hashed := _HASH.fullmatch(line)) and name:
            found[name][1].add(hashed["hash"])
        elif not line.startswith("#"):
            raise LockError(f"{lock}:{number}: neither a pin nor a hash: {line}")
    if bare := [name for name, (_, hashes) in found.items() if not hashes]:
        raise LockError(f"{lock}: no hash: {', '.join(bare)}")
    return {name: Pin(name, pin[0], frozenset(pin[1])) for name, pin in found.items()}


def of_functions() -> dict[str, Path]:
    """Each deployed function's lock."""
    return {path.parent.name: path for path in sorted(ROOT.glob("functions/*/requirements.lock"))}


def write(*, upgrade: bool = False) -> None:
    """Write every lock anew; versions stay as they are unless `upgrade` or a requirement says otherwise.

    Raises environment.NotInstalled where uv cannot be had.
    """
    program = environment.uv()
    if program is None:
        raise environment.NotInstalled("make lock needs uv, and pip could not install it")
    for requirements, constraint in _sources():
        lock = requirements.with_suffix(".lock")
        limits = ("--constraint", _name(constraint)) if constraint else ()
        newer = ("--upgrade",) if upgrade and not constraint else ()
        files = (_name(requirements), "--output-file", _name(lock))
        named = ("--custom-compile-command", "make lock")
        platform = _PLATFORMS.get(_name(requirements), _PLATFORM)
        target = ("--python-version", "3.11", "--python-platform", platform)
        command = (
            str(program),
            "pip",
            "compile",
            *_COMPILE,
            *target,
            *named,
            *limits,
            *newer,
            *files,
        )
        subprocess.run(command, cwd=ROOT, env=environment.uv_environment(), check=True)
        print(f"{_name(lock)}: {len(read(lock))} packages")


def _sources() -> Iterator[tuple[Path, Path | None]]:
    yield from ((path, None) for path in sorted(TOOLS.glob("*.txt")))
    yield ROOT / "requirements.txt", None
    for pattern in (
        *("functions/*/requirements.txt", "k8s/*/requirements.txt"),
        "tests/support/echo/*/requirements.txt",
    ):
        yield from ((path, PROJECT) for path in sorted(ROOT.glob(pattern)))


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def main() -> None:
    """Write every lock anew."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions allowed")
    try:
        write(upgrade=parser.parse_args().upgrade)
    except (environment.NotInstalled, subprocess.CalledProcessError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
