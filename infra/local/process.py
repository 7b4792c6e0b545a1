"""One process of the stack: in its own session with its own log, ended with all it started."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from infra.local.part import Part

_LAST_LINES = 12
_POLL = 0.02
_KILL_PATIENCE = 5.0


@dataclass(frozen=True, slots=True)
class Identity:
    """A process that cannot be mistaken for a later one with the same number."""

    pid: int
    created: float

    def alive(self) -> psutil.Process | None:
        """The process, unless it ended."""
        try:
            found = psutil.Process(self.pid)
            same = abs(found.create_time() - self.created) < 0.01
            return found if same and found.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


def identify(pid: int) -> Identity:
    """The identity of a process that runs now."""
    return Identity(pid, psutil.Process(pid).create_time())


class Running:
    """A started part."""

    def __init__(self, part: Part, log: Path) -> None:
        """Start it; its output is appended to `log`."""
        self.part, self.log = part, log
        account = part.user if os.geteuid() == 0 else None
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                part.argv,
                cwd=part.cwd,
                env={**base_environment(), **part.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=account,
                group=account,
                extra_groups=[] if account else None,
            )
        self.identity = Identity(self.process.pid, _created(self.process.pid))
        self.since = time.monotonic()

    def epitaph(self) -> str:
        """One line saying how it ended, and the end of its log."""
        code = self.process.returncode
        how = signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"
        return f"{self.part.name} (pid {self.process.pid}) ended: {how}; {tail(self.log)}"


def base_environment() -> dict[str, str]:
    """What every part gets: the search path, with this Python's scripts first, and the locale."""
    scripts = Path(sys.prefix) / "bin"
    return {"PATH": f"{scripts}:{os.environ.get('PATH', os.defpath)}", "LANG": "C.UTF-8"}


def tail(log: Path) -> str:
    """The log's path and its last lines."""
    try:
        lines = log.read_text(errors="replace").splitlines()[-_LAST_LINES:]
    except OSError as error:
        return f"no log: {error}"
    return f"end of {log}:" + "".join(f"\n    {line}" for line in lines)


def end(targets: list[tuple[Identity, float]]) -> None:
    """End processes with all their descendants: SIGTERM, the grace in seconds, then SIGKILL."""
    families: list[psutil.Process] = []
    deadline = time.monotonic() + max((grace for _, grace in targets), default=0.0)
    for identity, _ in targets:
        if (leader := identity.alive()) is not None:
            families += [leader, *_descendants(leader)]
            _signal(leader, signal.SIGTERM)
    _await_end([identity for identity, _ in targets], deadline)
    for one in families:
        _signal(one, signal.SIGKILL)
    _await_end(_identities(families), time.monotonic() + _KILL_PATIENCE)


def descendants(pid: int) -> list[Identity]:
    """All that a process started, directly or not, and that still runs."""
    return _identities(_descendants(psutil.Process(pid)))


def session(leader: int) -> list[Identity]:
    """Our descendants in the session that a part's process led."""
    found = []
    for one in descendants(os.getpid()):
        try:
            if os.getsid(one.pid) == leader:
                found.append(one)
        except ProcessLookupError:
            continue
    return found


def _identities(found: list[psutil.Process]) -> list[Identity]:
    return [Identity(one.pid, created) for one in found if (created := _created(one.pid))]


def _descendants(leader: psutil.Process) -> list[psutil.Process]:
    try:
        return list(leader.children(recursive=True))
    except psutil.NoSuchProcess:
        return []


def _await_end(identities: list[Identity], deadline: float) -> None:
    while any(one.alive() for one in identities) and time.monotonic() < deadline:
        time.sleep(_POLL)


def _signal(target: psutil.Process, number: signal.Signals) -> None:
    try:
        target.send_signal(number)
    except psutil.NoSuchProcess:
        return


def _created(pid: int) -> float:
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return 0.0
