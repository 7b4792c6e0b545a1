"""Simulated time for synchronous code: many processes, one at a time, each a thread that waits for its turn.

A process is one call of a function. What it asks for costs time: it waits, and others go on meanwhile.
What it gives to a pool of threads runs at once (see Pool): the calls only note until when they last, and the
process waits for that before it next asks for anything. So parallel calls last as long as the longest.
With one thing running at a time, the same seed gives the same run.
"""

import heapq
import importlib
import itertools
import pkgutil
import threading
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from types import ModuleType

from berth import app

START = datetime(2026, 1, 1, tzinfo=UTC)


class Kernel:
    """The time, in seconds since START, and what happens when."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._until = 0.0

    def at(self, moment: float, act: Callable[[], None]) -> None:
        """Have something done at a moment; what is due at the same moment comes in the order it was told."""
        heapq.heappush(self._due, (max(moment, self.now), next(self._order), act))

    def run(self, until: float) -> None:
        """Let time pass."""
        self._until = until
        while self._due and self._due[0][0] <= until:
            self.now, _, act = heapq.heappop(self._due)
            act()
        self.now = max(self.now, until)

    def advance(self, moment: float) -> bool:
        """Go on to a moment at once if nothing is due before it."""
        if moment > self._until or (self._due and self._due[0][0] <= moment):
            return False
        self.now = max(self.now, moment)
        return True

    @property
    def time(self) -> datetime:
        """The time of day."""
        return START + timedelta(seconds=self.now)


class Process:
    """One call of a function; `run` is its code."""

    def __init__(self, kernel: Kernel, run: Callable[["Process"], None]) -> None:
        self.kernel, self.owed, self.noting = kernel, 0.0, 0
        self._run = run
        self._turn, self._back = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=self._body, daemon=True)
        self._error: BaseException | None = None

    def start(self) -> None:
        self._thread.start()
        self._resume()

    def lasts(self, seconds: float) -> None:
        """A call that lasts some seconds from now."""
        if self.noting:
            self.owed = max(self.owed, self.kernel.now + seconds)
        else:
            self.wait(max(self.kernel.now, self.owed) + seconds)

    def settle(self) -> None:
        """Wait for what was given to pools."""
        if not self.noting and self.owed > self.kernel.now:
            self.wait(self.owed)

    def wait(self, moment: float) -> None:
        if self.kernel.advance(moment):
            return
        self.kernel.at(moment, self._resume)
        self._back.release()
        self._turn.acquire()

    def _body(self) -> None:
        _running.process = self
        self._turn.acquire()
        try:
            self._run(self)
        except BaseException as error:  # noqa: BLE001 - told where the simulation runs
            self._error = error
        self._back.release()

    def _resume(self) -> None:
        self._turn.release()
        self._back.acquire()
        if self._error is not None:
            raise self._error


_running = threading.local()


class Pool:
    """A pool of threads in simulated time: each job runs at once, and its time is noted."""

    def __init__(self, workers: int | None = None) -> None:
        """Any number of workers is enough."""

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is under way."""

    def submit(self, job, *args, **options) -> Future:
        process, done = _running.process, Future()
        process.noting += 1
        try:
            done.set_result(job(*args, **options))
        except Exception as error:  # noqa: BLE001 - as a pool does: the future tells it
            done.set_exception(error)
        finally:
            process.noting -= 1
        return done

    def map(self, job, *columns):
        return (
            one.result() for one in [self.submit(job, *row) for row in zip(*columns, strict=False)]
        )


def pooling() -> list[ModuleType]:
    """The application's modules that use pools of threads."""
    found = pkgutil.iter_modules(app.__path__, "berth.app.")
    modules = [importlib.import_module(one.name) for one in found]
    return [module for module in modules if hasattr(module, "ThreadPoolExecutor")]


def pools_in_simulated_time() -> None:
    """Give the application pools of this kind, for the rest of this program."""
    for module in pooling():
        module.ThreadPoolExecutor = Pool


class ProcessClock:
    """The Clock of one process."""

    def __init__(self, process: Process) -> None:
        self.process = process

    def now(self) -> datetime:
        self.process.settle()
        return START + timedelta(seconds=max(self.process.kernel.now, self.process.owed))

    def sleep(self, seconds: float) -> None:
        self.process.settle()
        self.process.lasts(max(0.0, seconds))


class KernelClock:
    """The Clock of what is no process."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    def now(self) -> datetime:
        return self.kernel.time

    def sleep(self, seconds: float) -> None:
        raise RuntimeError("only processes wait")


class Slots:
    """A number of places for work; `book` returns when work of some seconds ends, first come first served."""

    def __init__(self, count: int) -> None:
        self.free = [0.0] * count
        self.busy = 0.0

    def book(self, now: float, seconds: float) -> float:
        began = max(now, self.free[0])
        self.busy += seconds
        heapq.heapreplace(self.free, began + seconds)
        return began + seconds
