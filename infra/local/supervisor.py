"""Starts the parts of a stack as their dependencies allow, watches them, and ends them."""

import ctypes
import itertools
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import replace

import psutil
import requests

from infra.local import process
from infra.local.part import Part, Step
from infra.local.process import Running
from infra.local.state import Folder, State, Status

Node = Part | Step
_PATIENCE = 90.0
_POLL = 0.05
_SLOWEST_RESTART = 10.0
_PR_SET_CHILD_SUBREAPER = 36


class StartError(RuntimeError):
    """A part did not come up; the text names it, with the end of its log."""


class Stopped(RuntimeError):
    """The stack was told to stop while it started."""


class Supervisor:
    """The parts of one stack; all methods but `stopping.set` are for the main thread."""

    def __init__(self, folder: Folder, say: Callable[[str], None]) -> None:
        """State goes to `folder`, one line for each event to `say`."""
        self.stopping = threading.Event()
        self._folder, self._say = folder, say
        self._running: dict[str, Running] = {}
        self._deaths: dict[str, int] = {}
        self._due: dict[str, float] = {}
        self._returning: dict[str, Running] = {}
        self._lock = threading.Lock()
        self._waves: list[list[Node]] = []
        self._state = State(process.identify(os.getpid()))
        # Orphans of a part become ours, so that they end with the stack.
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        folder.write(self._state)

    def start(self, nodes: Sequence[Node]) -> None:
        """Bring everything up, in parallel where `after` allows. Raises StartError or Stopped."""
        self._waves = levels(nodes)
        with ThreadPoolExecutor(max_workers=len(nodes)) as pool:
            futures: dict[str, Future[None]] = {}
            failed = threading.Event()
            for node in itertools.chain(*self._waves):
                needed = [futures[name] for name in node.after]
                futures[node.name] = pool.submit(self._bring_up, node, needed, failed)
            done, _ = wait(futures.values(), return_when=FIRST_EXCEPTION)
            if any(one.exception() for one in done):
                failed.set()
        errors = [error for one in futures.values() if (error := one.exception())]
        causes = [error for error in errors if not isinstance(error, Stopped)]
        if errors:
            raise causes[0] if causes else errors[0]

    def watch(self, every: Callable[[], None]) -> None:
        """Until told to stop: name parts that die, start again those that want it, call `every`."""
        while not self.stopping.wait(0.1):
            for name, running in list(self._running.items()):
                if running.process.poll() is not None:
                    self._died(name, running)
            for name, running in list(self._returning.items()):
                self._greet(name, running)
            self._adopt()
            every()

    def stop(self) -> None:
        """End all parts, the dependent ones first, and whatever they left behind."""
        self.mark("stopping")
        for wave in reversed(self._waves):
            chosen = [self._running[one.name] for one in wave if one.name in self._running]
            process.end([(one.identity, one.part.grace) for one in chosen])
        process.end([(one, 1.0) for one in process.descendants(os.getpid())])
        for one in self._running.values():
            one.process.poll()
        self._adopt()
        self._running.clear()

    def mark(self, status: Status, note: str | None = None) -> None:
        """Write the state down, with a note about what happened."""
        with self._lock:
            notes = [*self._state.notes, note] if note else self._state.notes
            parts = {name: one.identity for name, one in self._running.items()}
            self._state = replace(self._state, status=status, notes=notes, parts=parts)
            self._folder.write(self._state)

    def _bring_up(self, node: Node, needed: list[Future[None]], failed: threading.Event) -> None:
        for one in needed:
            if one.exception():
                raise Stopped
        begun = time.monotonic()
        if self.stopping.is_set() or failed.is_set():
            raise Stopped
        if isinstance(node, Step):
            self._run(node)
        else:
            self._await(self._launch(node), failed)
        self._say(f"{node.name:<20} {time.monotonic() - begun:6.1f} s")

    def _run(self, step: Step) -> None:
        try:
            step.run()
        except (RuntimeError, requests.RequestException) as error:
            raise StartError(f"{step.name}: {error}") from error

    def _launch(self, part: Part) -> Running:
        try:
            running = Running(part, self._folder.logs / f"{part.name}.log")
        except OSError as error:
            raise StartError(f"{part.name}: {error}") from error
        self._running[part.name] = running
        self.mark(self._state.status)
        return running

    def _await(self, running: Running, failed: threading.Event) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not running.part.ready():
            if running.process.poll() is not None:
                raise StartError(running.epitaph())
            if failed.is_set() or self.stopping.is_set():
                raise Stopped
            if time.monotonic() > deadline:
                end = process.tail(running.log)
                raise StartError(f"{running.part.name} is not ready after {_PATIENCE:g} s; {end}")
            self.stopping.wait(_POLL)

    def _died(self, name: str, running: Running) -> None:
        """Name the death once; a part to be restarted comes back at once, then ever more slowly."""
        if name not in self._due:
            again = "starting it again" if running.part.restart else "it is not started again"
            self._say(f"{running.epitaph()}\n{name}: {again}")
            # What it forked may still hold its port.
            process.end([(one, 0.0) for one in process.session(running.process.pid)])
            self._due[name] = time.monotonic() + self._pause(name, running)
            if not running.part.restart:
                del self._running[name]
            self.mark(self._state.status, running.epitaph())
        if running.part.restart and time.monotonic() >= self._due[name]:
            del self._due[name]
            if running.part.mend is not None:
                running.part.mend()
            self._returning[name] = self._launch(running.part)

    def _greet(self, name: str, running: Running) -> None:
        """Say when a part is ready again, with what it forgot; where that fails, at the next look."""
        if running.process.poll() is not None:
            del self._returning[name]
        elif running.part.ready():
            try:
                if running.part.restored is not None:
                    running.part.restored()
            except (RuntimeError, requests.RequestException) as error:
                self._say(f"{name}: not restored yet: {error}")
                return
            del self._returning[name]
            self._say(f"{name}: ready again")

    def _pause(self, name: str, running: Running) -> float:
        if time.monotonic() - running.since > 6 * _SLOWEST_RESTART:
            self._deaths[name] = 0
        deaths = self._deaths.get(name, 0)
        self._deaths[name] = deaths + 1
        return min(_SLOWEST_RESTART, 2.0 ** (deaths - 1)) if deaths else 0.0

    def _adopt(self) -> None:
        """Reap orphans that became ours and ended."""
        own = {one.process.pid for one in self._running.values()}
        for child in psutil.Process().children():
            if child.pid not in own and child.status() == psutil.STATUS_ZOMBIE:
                os.waitpid(child.pid, os.WNOHANG)


def levels(nodes: Sequence[Node]) -> list[list[Node]]:
    """The nodes in waves: each after all that it needs. Raises ValueError where that cannot be."""
    waves: list[list[Node]] = []
    placed: set[str] = set()
    waiting = list(nodes)
    while waiting:
        wave = [node for node in waiting if placed.issuperset(node.after)]
        if not wave:
            stuck = ", ".join(f"{node.name} (after {', '.join(node.after)})" for node in waiting)
            raise ValueError(f"parts that wait for each other or for nothing known: {stuck}")
        waves.append(wave)
        placed |= {node.name for node in wave}
        waiting = [node for node in waiting if node.name not in placed]
    return waves
