"""Makes a virtual environment from a lock, once: it is named by the lock's digest and kept in the cache.

Every file is held to a hash of the lock and nothing is built from source. uv does it in seconds; pip
does it where uv cannot be had or does not reach the index. Standard library only: this runs first.
"""

import argparse
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.dependencies import pip_settings

ROOT = Path(__file__).resolve().parents[2]
UV_LOCK = ROOT / "infra" / "dependencies" / "tools" / "uv.lock"
PYTHON = (3, 11)
_INSTALL = ("--quiet", "--require-hashes", "--no-deps", "--only-binary", ":all:")
_TRUE = ("1", "true", "yes", "on", "y", "t")
_NO_VENV = (
    "{python} cannot make a virtual environment with pip: install its venv module"
    " (Debian: apt-get install python3.11-venv)\n{error}"
)


class NotInstalled(RuntimeError):
    """The packages of a lock could not be installed; the text says what pip said."""


def cache() -> Path:
    """Where environments and downloads are kept: $BERTH_CACHE or ~/.cache/berth."""
    return Path(os.environ.get("BERTH_CACHE") or Path.home() / ".cache" / "berth")


def folder(name: str, lock: Path) -> Path:
    """Where the environment of this lock is or will be."""
    return cache() / f"{name}-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"


def python(name: str, lock: Path, *, compiled: bool = False) -> Path:
    """The interpreter of the environment that holds just what `lock` names, made now if need be.

    With `compiled`, bytecode is written at once and not at each module's first import.
    Raises NotInstalled.
    """
    made = folder(name, lock)
    with _locked(made):
        if not _ready(made):
            _make(made, lock, compiled=compiled)
    return made / "bin" / "python"


def uv() -> Path | None:
    """The pinned uv, installed by pip into an environment of its own; None where it cannot be had."""
    made = folder("uv", UV_LOCK)
    with _locked(made):
        if not _ready(made):
            _venv(made, "--clear")
            command = (str(made / "bin" / "python"), "-m", "pip", "install", *_INSTALL)
            if not _run((*command, "-r", str(UV_LOCK))):
                return None
            (made / "ready").touch()
    return made / "bin" / "uv"


def disagreements(interpreter: Path) -> str:
    """What the installed packages of an environment demand of each other and do not get, as text."""
    uv()
    pip = folder("uv", UV_LOCK) / "bin" / "python"
    command = (str(pip), "-m", "pip", "--python", str(interpreter), "check")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else (done.stdout + done.stderr).strip()


def pip_options() -> dict[str, str]:
    """What pip is configured to do on this machine, by its options' names."""
    uv()
    command = (str(folder("uv", UV_LOCK) / "bin" / "python"), "-m", "pip", "config", "list")
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return pip_settings.options(listed)


def uv_environment() -> dict[str, str]:
    """The environment for uv: this process's, what pip is configured to do, and Berth's cache."""
    environment = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
    told = pip_settings.translate(pip_options(), environment)
    berth = {"UV_CACHE_DIR": str(cache() / "uv-cache"), "UV_PYTHON_DOWNLOADS": "never"}
    return environment | berth | told


def _make(made: Path, lock: Path, *, compiled: bool) -> None:
    if sys.version_info[:2] != PYTHON:
        raise NotInstalled("Python 3.11 is needed: install python3.11")
    print(f"setting up Python packages in {made} (once per version)", file=sys.stderr)
    begun = time.monotonic()
    program = uv()
    _venv(made, "--clear", "--without-pip")
    if program is None or not _by_uv(program, made, lock, compiled=compiled):
        print("uv could not: pip installs the same files, which takes longer", file=sys.stderr)
        _by_pip(made, lock)
    (made / "ready").touch()
    print(f"set up in {time.monotonic() - begun:.0f} s", file=sys.stderr)


def _by_uv(program: Path, made: Path, lock: Path, *, compiled: bool) -> bool:
    bytecode = ("--compile-bytecode",) if compiled else ()
    # uv has no variable for this one.
    alone = ("--no-index",) if pip_options().get("no-index", "").lower() in _TRUE else ()
    command = (str(program), "pip", "install", "--python", str(made / "bin" / "python"))
    return _run((*command, *_INSTALL, *bytecode, *alone, "-r", str(lock)), uv_environment())


def _by_pip(made: Path, lock: Path) -> None:
    pip = (str(folder("uv", UV_LOCK) / "bin" / "python"), "-m", "pip")
    target = ("--python", str(made / "bin" / "python"))
    if not _run((*pip, *target, "install", *_INSTALL, "-r", str(lock))):
        raise NotInstalled(f"{lock} could not be installed: what pip said stands above")


def _venv(made: Path, *options: str) -> None:
    command = (sys.executable, "-m", "venv", *options, str(made))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        shutil.rmtree(made, ignore_errors=True)
        error = (done.stdout + done.stderr).strip()
        raise NotInstalled(_NO_VENV.format(python=sys.executable, error=error))


def _ready(made: Path) -> bool:
    """Whether it was finished and the interpreter that it was made with is still there."""
    return (made / "ready").is_file() and (made / "bin" / "python").exists()


def _run(command: tuple[str, ...], environment: dict[str, str] | None = None) -> bool:
    return subprocess.run(command, env=environment, stdout=sys.stderr, check=False).returncode == 0


@contextmanager
def _locked(made: Path) -> Iterator[None]:
    """One process makes an environment while others wait for it."""
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / f"{made.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> None:
    """Make the environment of a lock, print its folder, and point a link at it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("lock", type=Path)
    parser.add_argument("--compiled", action="store_true", help="write the bytecode at once")
    parser.add_argument("--link", type=Path, help="a symbolic link to flip once it is ready")
    options = parser.parse_args()
    try:
        made = python(options.name, options.lock, compiled=options.compiled).parents[1]
    except NotInstalled as error:
        parser.exit(1, f"{error}\n")
    if options.link:
        fresh = options.link.with_name(f"{options.link.name}.{os.getpid()}")
        fresh.symlink_to(made)
        fresh.replace(options.link)
    print(made)


if __name__ == "__main__":
    main()
