"""One version under management: its state, and loading it with retries."""

import enum
import threading
import time
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from infra.local.tfserving import log
from infra.local.tfserving.serving_map import Session
from infra.local.tfserving.status import Code, StatusError

_T = TypeVar("_T")


class Stage(enum.Enum):
    """How far the version has come."""

    NEW = "new"
    LOADING = "loading"
    READY = "ready"
    UNLOADING = "unloading"
    DISABLED = "disabled"
    ERROR = "error"


FINISHED = (Stage.NEW, Stage.DISABLED, Stage.ERROR)


class Retries(NamedTuple):
    """How often a failed attempt is repeated, and after which pause."""

    limit: int
    interval_micros: int


class Harness:
    """A version that is wanted, was wanted, or failed."""

    def __init__(self, name: str, version: int, path: str) -> None:
        """A new version, aspired, not yet loaded."""
        self.name = name
        self.version = version
        self.path = path
        self.aspired = True
        self.stage = Stage.NEW
        self.session: Session | None = None
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        """No more retries; a load that finishes after this is thrown away."""
        self._cancelled.set()

    def load(self, loader: Callable[[str], Session], retries: Retries) -> None:
        """Load, with retries. Raises StatusError: the last attempt's, or CANCELLED."""
        session = self.attempt("Loading", lambda: loader(self.path), retries)
        if self._cancelled.is_set():
            session.close()
            raise StatusError(Code.CANCELLED, "Loading of servable cancelled")
        self.session = session

    def attempt(self, what: str, action: Callable[[], _T], retries: Retries) -> _T:
        """Run `action`, and again after the pause while it fails and retries are left."""
        for left in range(retries.limit, -1, -1):
            try:
                return action()
            except StatusError as error:
                what_for = f"{what} servable: {{name: {self.name} version: {self.version}}}"
                if not left or self._cancelled.is_set():
                    log.error(f"{what_for} failed: {error.status}")
                    raise
                log.warning(f"{what_for} failed: {error.status}; {left} retries left")
            # The real one sleeps here too: neither a cancellation nor a shutdown cuts it short.
            time.sleep(max(0, retries.interval_micros) / 1e6)
        raise AssertionError("the last attempt returns or raises")
