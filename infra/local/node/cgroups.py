"""Memory limits that kill: one control group a container, of either version."""

import contextlib
import errno
import logging
import os
import signal
import time
from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path

LOG = logging.getLogger(__name__)
MOUNT = Path("/sys/fs/cgroup")
REMOVAL_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Group:
    """The control group of one container's run."""

    path: Path

    def processes(self) -> list[int]:
        """Return the pids in the group."""
        with contextlib.suppress(FileNotFoundError):
            return [int(line) for line in (self.path / "cgroup.procs").read_text().split()]
        return []

    def oom_kills(self) -> int:
        """Return how many processes the limit has killed."""
        for name in ("memory.events", "memory.oom_control"):
            if (self.path / name).exists():
                return _fields(self.path / name).get("oom_kill", 0)
        return 0

    def working_set(self) -> int:
        """Return the bytes that cannot be reclaimed at once, as the kubelet counts them."""
        for usage, inactive in (
            ("memory.current", "inactive_file"),
            ("memory.usage_in_bytes", "total_inactive_file"),
        ):
            with contextlib.suppress(FileNotFoundError):
                used = int((self.path / usage).read_text())
                return max(0, used - _fields(self.path / "memory.stat").get(inactive, 0))
        return 0

    def remove(self) -> None:
        """Kill what is left in the group and remove it. Raises OSError if that takes too long."""
        end = time.monotonic() + REMOVAL_SECONDS
        while True:
            for pid in self.processes():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            try:
                self.path.rmdir()
            except FileNotFoundError:
                return
            except OSError as error:
                if error.errno != errno.EBUSY or time.monotonic() > end:
                    raise
                time.sleep(0.005)  # the kernel tells nobody when the last process has left
            else:
                return


class Cgroups:
    """The groups of one agent, below a group of its own name."""

    def __init__(self, root: Path | None, limit: str = "") -> None:
        """Take the folder of the groups and the file that holds a limit; None: no groups here."""
        self._root, self._limit = root, limit

    @classmethod
    def open(cls, name: str) -> "Cgroups":
        """Make the agent's group, or say in the log why there is none and go on without."""
        try:
            if "memory" in _words(MOUNT / "cgroup.controllers"):
                return cls(_delegated(MOUNT / name), "memory.max")
            root = MOUNT / "memory" / name
            root.mkdir(exist_ok=True)
        except OSError as error:
            LOG.warning("memory limits are not enforced: %s", error)
            return cls(None)
        return cls(root, "memory.limit_in_bytes")

    def find(self, name: str) -> Group | None:
        """The group of a container that runs, if it has one."""
        if self._root is None or not (self._root / name).exists():
            return None
        return Group(self._root / name)

    def create(self, name: str, limit: int | None) -> Group | None:
        """Make a group with a limit in bytes, without what an agent that died may have left in it."""
        if self._root is None:
            return None
        path = self._root / name
        Group(path).remove()
        path.mkdir()
        if limit is not None:
            (path / self._limit).write_text(str(limit))
            with contextlib.suppress(FileNotFoundError, PermissionError):
                swap = "memory.swap.max" if self._limit == "memory.max" else "memory.swappiness"
                (path / swap).write_text("0")
        return Group(path)

    def sweep(self, pods: Set[str]) -> None:
        """Remove the groups of other pods than those with these uids."""
        for path in self._root.iterdir() if self._root else ():
            if path.is_dir() and not any(path.name.startswith(uid) for uid in pods):
                Group(path).remove()

    def close(self) -> None:
        """Remove the agent's group and what a dead agent left in it."""
        if self._root is None or not self._root.exists():
            return
        for path in self._root.iterdir():
            if path.is_dir():
                Group(path).remove()
        Group(self._root).remove()


def _delegated(path: Path) -> Path:
    (MOUNT / "cgroup.subtree_control").write_text("+memory")
    path.mkdir(exist_ok=True)
    (path / "cgroup.subtree_control").write_text("+memory")
    return path


def _words(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


def _fields(path: Path) -> dict[str, int]:
    pairs = (line.split() for line in path.read_text().splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2}
