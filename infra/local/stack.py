"""The local stack as its users see it: start it, ask it, stop it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import psutil

from infra import functions
from infra.local import process, setup, state, supervise
from infra.local.layout import Options
from infra.local.process import Identity
from infra.local.state import Folder, State

_POLL = 0.05
_STOP_PATIENCE = 60.0
Say = Callable[[str], None]


class NotStarted(RuntimeError):
    """The stack did not come up; nothing was left running."""


class AlreadyUp(RuntimeError):
    """A stack runs in this folder."""


class Stack:
    """A running stack. As a context manager it stops at the end of the block."""

    def __init__(self, directory: Path, keeper: subprocess.Popen[bytes] | None = None) -> None:
        """`directory` is where it was started, `keeper` its supervisor where that is our child."""
        self.folder = Folder(directory.resolve())
        self._keeper = keeper

    @property
    def environment(self) -> dict[str, str]:
        """What clients need, as in the file `env`."""
        return state.read_environment(self.folder.environment)

    @property
    def parts(self) -> dict[str, int]:
        """The process number of each part, as of now."""
        found = self._state()
        return {name: one.pid for name, one in found.parts.items()}

    @property
    def notes(self) -> list[str]:
        """What died so far, one entry each with the end of its log."""
        return self._state().notes

    def log(self, part: str) -> Path:
        """Where a part's output goes."""
        return self.folder.logs / f"{part}.log"

    def stop(self) -> None:
        """End exactly what was started and remove all but the logs."""
        stop(self.folder.path)
        if self._keeper is not None:
            self._keeper.wait()

    def __enter__(self) -> "Stack":
        """Nothing: the stack runs."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Stop it."""
        self.stop()

    def _state(self) -> State:
        found = self.folder.read()
        if found is None:
            raise NotStarted(f"no stack in {self.folder.path}")
        return found


def start(directory: Path, options: Options | None = None, *, say: Say = lambda _: None) -> Stack:
    """Start a stack in `directory`, which must be empty or a former stack's.

    Without options it is the whole one, and outlives this process only as the command line starts
    it (`owner=None`). Raises NotStarted, AlreadyUp, state.NotAStack or setup.Missing.
    """
    options = options or Options(owner=os.getpid())
    folder = Folder(directory.resolve())
    if (found := folder.read()) is not None:
        if found.supervisor.alive():
            raise AlreadyUp(f"a stack runs in {folder.path}")
        stop(folder.path)
    tools = setup.prepare(say, cluster=options.cluster)
    folder.prepare()
    keeper = _spawn(folder, supervise.encode(options, tools))
    try:
        _follow(folder, keeper, say)
    except BaseException:
        # Ctrl-C included: nothing stays behind.
        _signal(keeper)
        keeper.wait(_STOP_PATIENCE)
        stop(folder.path)
        raise
    return Stack(folder.path, keeper)


def stop(directory: Path) -> bool:
    """Stop the stack in `directory`, alive or left behind; False where there is none."""
    folder = Folder(directory.resolve())
    found = folder.read()
    if found is None:
        return False
    if (keeper := found.supervisor.alive()) is not None:
        keeper.send_signal(signal.SIGTERM)
        psutil.wait_procs([keeper], timeout=_STOP_PATIENCE)
    # What is still there lost its supervisor, or outlived its patience.
    left: list[Identity] = [found.supervisor, *(folder.read() or found).parts.values()]
    process.end([(one, 5.0) for one in left])
    folder.clear()
    return True


def _spawn(folder: Folder, encoded: str) -> subprocess.Popen[bytes]:
    with folder.log.open("ab") as output:
        return subprocess.Popen(
            (sys.executable, "-m", "infra.local.supervise", str(folder.path), encoded),
            cwd=functions.ROOT,
            env={**os.environ, "PYTHONPATH": functions.PYTHONPATH},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _follow(folder: Folder, keeper: subprocess.Popen[bytes], say: Say) -> None:
    """Repeat what the supervisor says until the stack is ready. Raises NotStarted."""
    with folder.log.open() as log:
        while True:
            ended = keeper.poll() is not None
            found = folder.read()
            lines = log.read().splitlines()
            for line in lines:
                say(line)
            if ended:
                raise NotStarted(f"the stack did not come up: see {folder.log}")
            if found is not None and found.status == "ready":
                return
            time.sleep(_POLL)


def _signal(keeper: subprocess.Popen[bytes]) -> None:
    if keeper.poll() is None:
        keeper.send_signal(signal.SIGTERM)
