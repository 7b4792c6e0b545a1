"""Loading and unloading: a tick every 100 ms, one action a tick, availability preserved.

TensorFlow Serving's AspiredVersionsManager and BasicManager in one. With 0 threads loads and
unloads run inside the tick, and while one runs or sleeps between retries nothing else happens.
"""

import os
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from infra.local.tfserving import filesystem, log, source
from infra.local.tfserving.harness import FINISHED, Harness, Retries, Stage
from infra.local.tfserving.monitor import Bus, State
from infra.local.tfserving.serving_map import Bundle, ServingMap, Session
from infra.local.tfserving.status import OK, StatusError

_TICK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Options:
    """Thread counts (0: inline) and retries."""

    load_threads: int
    unload_threads: int
    retries: Retries


class Manager:
    """Brings what is loaded towards what is aspired."""

    def __init__(self, loader: Callable[[str], Session], bus: Bus, options: Options) -> None:
        """Nothing is managed yet; `start` begins the ticks."""
        self.serving = ServingMap()
        self._loader = loader
        self._bus = bus
        self._retries = options.retries
        self._pending_lock = threading.Lock()
        self._pending: dict[str, source.Versions] = {}
        self._harnesses: dict[str, dict[int, Harness]] = {}
        self._mutex = threading.RLock()
        self._decisions = threading.Lock()
        self._loads_lock = threading.Lock()
        self._loads = _pool(options.load_threads)
        self._unloads = _pool(options.unload_threads)

    def start(self) -> None:
        """Tick from now on."""
        threading.Thread(target=self._tick_for_ever, daemon=True, name="manager").start()

    def aspire(self, name: str, versions: source.Versions) -> None:
        """The versions a servable should have; an earlier wish not yet looked at is overwritten."""
        with self._pending_lock:
            self._pending[name] = versions

    def set_load_threads(self, count: int) -> None:
        """Change the number of load threads; waits for the loads queued so far."""
        with self._loads_lock:
            if self._loads:
                self._loads.shutdown(wait=True)
            self._loads = _pool(count)

    def _tick_for_ever(self) -> None:
        while True:
            started = time.monotonic()
            self._tick()
            time.sleep(max(0.0, started + _TICK_SECONDS - time.monotonic()))

    def _tick(self) -> None:
        with self._mutex:
            self._flush()
            self._apply_pending()
            harness = self._next()
        if harness is None:
            return
        if harness.stage is Stage.READY:
            harness.stage = Stage.UNLOADING
            _run(self._unloads, self._unload, harness)
            return
        harness.stage = Stage.LOADING
        with self._loads_lock:
            pool = self._loads
            if pool:
                _submit(pool, self._load, harness)
        if not pool:
            self._load(harness)

    def _flush(self) -> None:
        for name, versions in list(self._harnesses.items()):
            for version, harness in list(versions.items()):
                if not harness.aspired and harness.stage in FINISHED:
                    del versions[version]
            if not versions:
                del self._harnesses[name]

    def _apply_pending(self) -> None:
        with self._pending_lock:
            for name in list(self._pending):
                managed = self._harnesses.get(name, {})
                wanted = dict(self._pending[name])
                # A version on its way out is taken up again only when it is gone.
                if any(v in managed and not managed[v].aspired for v in wanted):
                    continue
                del self._pending[name]
                self._apply(name, wanted)

    def _apply(self, name: str, wanted: dict[int, str]) -> None:
        managed = self._harnesses.setdefault(name, {})
        for version, harness in managed.items():
            if version not in wanted:
                harness.aspired = False
                harness.cancel()
        for version, path in wanted.items():
            if version not in managed:
                managed[version] = Harness(name, version, path)
                self._bus.publish(name, version, State.START)

    def _next(self) -> Harness | None:
        chosen = [choose(list(each.values())) for each in self._harnesses.values()]
        actions = [each for each in chosen if each is not None]
        unloads = (each for each in actions if each.stage is Stage.READY)
        return next(unloads, actions[0] if actions else None)

    def _load(self, harness: Harness) -> None:
        name, version = harness.name, harness.version
        try:
            with self._decisions:
                # Held through the retries of the walk, which stalls every other load and unload.
                harness.attempt(
                    "Reserving resources for", lambda: self._walk(harness), self._retries
                )
            self._bus.publish(name, version, State.LOADING)
            log.info(f"Loading servable version {{name: {name} version: {version}}}")
            harness.load(self._loader, self._retries)
        except StatusError as error:
            harness.stage = Stage.ERROR
            self._bus.publish(name, version, State.END, error.status)
            return
        with self._mutex:
            harness.stage = Stage.READY
            self._publish_map()
        self._bus.publish(name, version, State.AVAILABLE)
        log.info(f"Successfully loaded servable version {{name: {name} version: {version}}}")

    def _walk(self, harness: Harness) -> int:
        return filesystem.total_bytes(harness.path)

    def _unload(self, harness: Harness) -> None:
        with self._decisions:
            self._bus.publish(harness.name, harness.version, State.UNLOADING)
        with self._mutex:
            self._publish_map()
        if harness.session:
            harness.session.close()
            harness.session = None
        self._bus.publish(harness.name, harness.version, State.END, OK)
        # Last: from here on the version may be taken up again.
        harness.stage = Stage.DISABLED
        log.info(
            f"Done unloading servable version {{name: {harness.name} version: {harness.version}}}"
        )

    def _publish_map(self) -> None:
        self.serving.replace(
            [
                Bundle(each.name, each.version, each.session)
                for versions in self._harnesses.values()
                for each in versions.values()
                if each.stage is Stage.READY and each.session
            ]
        )


def choose(harnesses: list[Harness]) -> Harness | None:
    """AvailabilityPreservingPolicy: the version to load (NEW) or to unload (READY) next, if any."""
    aspired = [each for each in harnesses if each.aspired]
    stale = [each for each in harnesses if not each.aspired and each.stage is Stage.READY]
    serves = any(each.stage is Stage.READY for each in aspired)
    if stale and (not aspired or serves or len(stale) > 1):
        return min(stale, key=lambda each: each.version)
    new = [each for each in aspired if each.stage is Stage.NEW]
    return max(new, key=lambda each: each.version, default=None)


def _pool(threads: int) -> ThreadPoolExecutor | None:
    return ThreadPoolExecutor(threads, "load") if threads > 0 else None


def _run(pool: ThreadPoolExecutor | None, action: Callable[[Harness], None], on: Harness) -> None:
    if pool:
        _submit(pool, action, on)
    else:
        action(on)


def _submit(pool: ThreadPoolExecutor, action: Callable[[Harness], None], on: Harness) -> None:
    pool.submit(action, on).add_done_callback(_crash)


def _crash(future: Future[None]) -> None:
    """A pool keeps what its tasks raise to itself; a load that went wrong unforeseen must not vanish."""
    error = future.exception()
    if error:
        traceback.print_exception(error)
        os.abort()
