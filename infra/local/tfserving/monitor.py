"""The states servables go through, as published on the event bus, and waiting for them."""

import enum
import threading
from collections.abc import Collection
from typing import NamedTuple

from infra.local.tfserving.status import OK, Status


class State(enum.IntEnum):
    """ManagerState; the numbers are those of ModelVersionStatus."""

    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


class VersionState(NamedTuple):
    """A version's state; the status says why it ended."""

    state: State
    status: Status = OK


class Bus:
    """Hands every event to every subscribed monitor, in one order."""

    def __init__(self) -> None:
        """No subscribers yet."""
        self._lock = threading.Lock()
        self._monitors: list[Monitor] = []

    def publish(self, name: str, version: int, state: State, status: Status = OK) -> None:
        """Tell all monitors."""
        with self._lock:
            for monitor in self._monitors:
                monitor.record(name, version, VersionState(state, status))

    def subscribe(self, monitor: "Monitor") -> None:
        """Events from now on reach `monitor`."""
        with self._lock:
            self._monitors.append(monitor)

    def unsubscribe(self, monitor: "Monitor") -> None:
        """No more events for `monitor`."""
        with self._lock:
            self._monitors.remove(monitor)


class Monitor:
    """What was seen since it subscribed. Entries are never deleted."""

    def __init__(self, bus: Bus) -> None:
        """Subscribe to `bus`."""
        self._changed = threading.Condition()
        self._states: dict[str, dict[int, VersionState]] = {}
        bus.subscribe(self)

    def record(self, name: str, version: int, state: VersionState) -> None:
        """Called by the bus."""
        with self._changed:
            self._states.setdefault(name, {})[version] = state
            self._changed.notify_all()

    def versions(self, name: str) -> dict[int, VersionState]:
        """All versions ever seen of a servable, highest first."""
        with self._changed:
            return dict(sorted(self._states.get(name, {}).items(), reverse=True))

    def wait_for(self, names: Collection[str]) -> dict[tuple[str, int], VersionState]:
        """Wait, without limit, until each name has a version AVAILABLE or END; the highest such."""
        waiting = set(names)
        with self._changed:
            while True:
                # Settled once is not settled for good: all are looked at again at the end.
                waiting = {name for name in waiting if self._settled(name) is None}
                if not waiting:
                    waiting = {name for name in names if self._settled(name) is None}
                if not waiting:
                    return self._reached(names)
                self._changed.wait()

    def _reached(self, names: Collection[str]) -> dict[tuple[str, int], VersionState]:
        reached = {}
        for name in names:
            version = self._settled(name)
            if version is not None:
                reached[name, version] = self._states[name][version]
        return dict(sorted(reached.items()))

    def _settled(self, name: str) -> int | None:
        for version, (state, _) in sorted(self._states.get(name, {}).items(), reverse=True):
            if state in (State.AVAILABLE, State.END):
                return version
        return None


def unavailable(noun: str, reached: dict[tuple[str, int], VersionState]) -> str | None:
    """The message for those that did not become available, or None if all did."""
    failed = {key: each for key, each in reached.items() if each.state is not State.AVAILABLE}
    if not failed:
        return None
    parts = []
    for (name, version), (_, status) in failed.items():
        cause = "" if status.ok else f" due to error: {status}"
        parts.append(f"{{name: {name} version: {version}}}{cause}}}, ")
    return f"{len(failed)} {noun}(s) did not become available: {{{''.join(parts)}}}"
