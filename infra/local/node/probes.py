"""The probes of one run of a container: startup first, then readiness and liveness."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

from infra.local.node.actions import Action, Target
from infra.local.node.gate import Gate

Json = Mapping[str, Any]


class Probe(threading.Thread):
    """Asks every period until it is stopped, and tells each change of verdict."""

    def __init__(self, probe: Json, target: Target, tell: Callable[[bool], None]) -> None:
        """Take a probe of a container's spec."""
        super().__init__(daemon=True)
        self._probe, self._tell = probe, tell
        self._action = Action(probe, target)
        self._stop_asking = threading.Event()

    def stop(self) -> None:
        """Ask no more; the answer under way is not told."""
        self._stop_asking.set()

    def run(self) -> None:
        """Ask."""
        probe, stopped = self._probe, self._stop_asking
        gate = Gate(probe.get("successThreshold", 1), probe.get("failureThreshold", 3))
        stopped.wait(probe.get("initialDelaySeconds", 0))
        while not stopped.is_set():
            before = gate.verdict
            gate = gate.record(self._action.succeeds(probe.get("timeoutSeconds", 1)))
            if gate.verdict is not None and gate.verdict != before and not stopped.is_set():
                self._tell(gate.verdict)
            stopped.wait(probe.get("periodSeconds", 10))
        self._action.close()


class Probes:
    """What the probes of one run mean for its container."""

    def __init__(self, target: Target, see: Callable[..., None], fail: Callable[[], None]) -> None:
        """`see` takes changes of `started` and `ready`, `fail` ends the run."""
        self._target, self._see, self._fail = target, see, fail
        self._running: list[Probe] = []
        self._lock = threading.Lock()
        self._stopped = False

    def begin(self) -> None:
        """Ask the startup probe, or without one whatever follows it."""
        if startup := self._target.container.get("startupProbe"):
            self._ask(startup, self._startup)
        else:
            self._started()

    def resume(self) -> None:
        """Go on with a container that has started: what was seen of it stays until it changes."""
        self._follow()

    def stop(self) -> None:
        """Stop all."""
        with self._lock:
            self._stopped = True
            for probe in self._running:
                probe.stop()

    def _ask(self, probe: Json, tell: Callable[[bool], None]) -> None:
        with self._lock:
            if not self._stopped:
                thread = Probe(probe, self._target, tell)
                self._running.append(thread)
                thread.start()

    def _startup(self, success: bool) -> None:
        self._running[0].stop()
        if success:
            self._started()
        else:
            self._fail()

    def _started(self) -> None:
        self._see(started=True, ready="readinessProbe" not in self._target.container)
        self._follow()

    def _follow(self) -> None:
        if readiness := self._target.container.get("readinessProbe"):
            self._ask(readiness, lambda success: self._see(ready=success))
        if liveness := self._target.container.get("livenessProbe"):
            self._ask(liveness, self._liveness)

    def _liveness(self, success: bool) -> None:
        if not success:
            self._fail()
