"""The end of a process as others feel it: no thread of it runs, and nothing it listened on is left."""

import contextlib
import os
import select
import time
from pathlib import Path

LISTENING = "0A"  # TCP_LISTEN in the column "st" of /proc/net/tcp


class Ending:
    """Taken before a process is killed, which it identifies for ever; `wait` sees its end.

    That a process is a zombie does not say it: its first thread is one while others still run, and
    as long as one does, its sockets take connections, and reset them later. A pidfd can be read
    when the last thread has ended (`man pidfd_open`).
    """

    def __init__(self, pid):
        """Raises ProcessLookupError where it has ended already."""
        self._handle = os.pidfd_open(pid)
        self._sockets = _sockets(pid)

    def wait(self, seconds):
        """Return the time.monotonic() at which it was seen gone. Raises TimeoutError."""
        end = time.monotonic() + seconds
        waiting = select.poll()
        waiting.register(self._handle, select.POLLIN)
        if not waiting.poll(1000 * seconds):
            raise TimeoutError(f"a thread still runs after {seconds:g} s")
        while listening() & self._sockets:
            if time.monotonic() > end:
                raise TimeoutError(f"its socket still listens after {seconds:g} s")
            time.sleep(0.002)
        return time.monotonic()

    def close(self):
        os.close(self._handle)


def listening():
    """The inodes of all TCP sockets that listen."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        rows = [line.split() for line in Path(table).read_text().splitlines()[1:]]
        found |= {row[9] for row in rows if row[3] == LISTENING}
    return found


def _sockets(pid):
    """The inodes of a process's sockets."""
    found = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            kind, _, inode = os.readlink(link).partition(":")
            if kind == "socket":
                found.add(inode.strip("[]"))
    return found
