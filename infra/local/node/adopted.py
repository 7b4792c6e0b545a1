"""A container's process that an earlier agent started and that outlived it, as its successor holds it."""

import contextlib
import json
import os
import select
import signal
from dataclasses import dataclass
from pathlib import Path

import psutil

_SAME_START = 0.02  # seconds


@dataclass(frozen=True, slots=True)
class Note:
    """What is on disk of a process that runs: `start` in seconds since 1970 names it with its pid."""

    pid: int
    start: float
    identity: str
    begun: str

    def write(self, path: Path) -> None:
        """Replace the note."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".part")
        fields = {name: getattr(self, name) for name in self.__slots__}
        partial.write_text(json.dumps(fields))
        partial.replace(path)


def read(path: Path) -> Note | None:
    """The note, if there is one."""
    try:
        return Note(**json.loads(path.read_text()))
    except FileNotFoundError:
        return None


class Adopted:
    """A process that is not our child: it can be waited for and ended, its exit code is not ours."""

    def __init__(self, pid: int, handle: int) -> None:
        """`handle` is a pidfd of the process: it never means a later one with the same number."""
        self.pid, self._handle = pid, handle

    def wait(self) -> int | None:
        """Return None when it has ended: only its parent is told how."""
        _ended(self._handle, None)
        return None

    def terminate(self) -> None:
        """Ask it to end."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._handle, number)


def adopt(note: Note | None) -> Adopted | None:
    """The process of a note, if any thread of it still runs: as long as one does, its ports are taken."""
    if note is None:
        return None
    try:
        handle = os.pidfd_open(note.pid)
    except ProcessLookupError:
        return None
    with contextlib.suppress(psutil.NoSuchProcess):
        same = abs(psutil.Process(note.pid).create_time() - note.start) < _SAME_START
        if same and not _ended(handle, 0):
            return Adopted(note.pid, handle)
    os.close(handle)
    return None


def _ended(handle: int, milliseconds: int | None) -> bool:
    """Whether the last thread of a pidfd's process ended, at the latest after so long (None: wait)."""
    waiting = select.poll()
    waiting.register(handle, select.POLLIN)
    return bool(waiting.poll(milliseconds))
