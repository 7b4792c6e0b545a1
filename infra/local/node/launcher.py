"""Starts processes in their sandbox, and notes them on disk so that a later agent can end them."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import psutil

from infra.local.node import adopted
from infra.local.node.cgroups import Group
from infra.local.node.spec import Mount

SANDBOX = Path(__file__).with_name("sandbox.py")


class StartError(Exception):
    """The sandbox could not be made or the program is not there."""


@dataclass(frozen=True, slots=True)
class Launch:
    """All that a container's process is: `join` names a process whose sandbox it enters instead."""

    argv: Sequence[str]
    environment: Mapping[str, str]
    folder: str
    uid: int
    gid: int
    root: Path
    mounts: Sequence[Mount] = ()
    paths: Sequence[str] = ()
    join: int | None = None
    groups: Sequence[Group] = field(default_factory=tuple)


def start(launch: Launch, log: IO[bytes]) -> subprocess.Popen[bytes]:
    """Return the process once its program runs. Raises StartError with the step that failed."""
    reader, writer = os.pipe()
    try:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(SANDBOX), _spec(launch, writer)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(writer,),
            start_new_session=True,
        )
        os.close(writer)
        error = b""
        while part := os.read(reader, 4096):  # ends when exec closes the pipe
            error += part
    finally:
        os.close(reader)
    if error:
        process.wait()
        raise StartError(error.decode(errors="replace"))
    return process


def _spec(launch: Launch, errors: int) -> str:
    mounts = [
        {"source": str(mount.source), "target": mount.target, "read_only": mount.read_only}
        for mount in launch.mounts
    ]
    return json.dumps(
        {
            "argv": list(launch.argv),
            "environment": dict(launch.environment),
            "folder": launch.folder,
            "uid": launch.uid,
            "gid": launch.gid,
            "root": str(launch.root),
            "mounts": mounts,
            "paths": [*launch.paths, sys.prefix, sys.base_prefix],
            "join": launch.join,
            "cgroups": [str(group.path) for group in launch.groups],
            "errors": errors,
        }
    )


def note(folder: Path, pod: str, container: str) -> Path:
    """Where a container's process is noted; `pod` is the pod's uid."""
    return folder / f"{pod}.{container}.json"


def remember(path: Path, pid: int, identity: str, begun: str) -> None:
    """Note a process and its start time, which together name it for ever."""
    with contextlib.suppress(psutil.NoSuchProcess):
        adopted.Note(pid, psutil.Process(pid).create_time(), identity, begun).write(path)


def kill_remembered(folder: Path, keep: Set[str] = frozenset()) -> int:
    """End what an agent that died left running, but for the pods in `keep`; return how many."""
    found = 0
    for path in folder.glob("*.json"):
        if path.name.partition(".")[0] in keep:
            continue
        process = adopted.adopt(adopted.read(path))
        if process is not None:
            clear_session(process.pid)
            process.wait()
            found += 1
        path.unlink(missing_ok=True)
    return found


def clear_session(leader: int) -> None:
    """End what a process left behind in its session; nothing if it left nothing."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)
