"""When each replica said what of one version: GetModelStatus every 10 ms, a thread a replica."""

import threading
import time
from collections.abc import Sequence
from types import TracebackType

from berth.adapters.tfserving import GrpcModelServers
from berth.domain.errors import Unavailable
from infra.demo.replicas import Replica

_EVERY = 0.01
_PATIENCE = 60.0


class Timeline:
    """First seen times (seconds since the epoch) of the states of one version, by replica."""

    def __init__(self, replicas: Sequence[Replica], servable: str, version: int) -> None:
        """Nothing is asked before the block is entered."""
        self.seen: dict[str, dict[str, float]] = {replica.address: {} for replica in replicas}
        self._servable, self._version = servable, version
        self._servers = GrpcModelServers()
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._follow, args=(address,), daemon=True)
            for address in self.seen
        ]

    def __enter__(self) -> "Timeline":
        """Begin to ask."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Ask no more."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._servers.close()

    def wait(self) -> None:
        """Return once every replica has said AVAILABLE. Raises TimeoutError."""
        deadline = time.monotonic() + _PATIENCE
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        if not all("AVAILABLE" in states for states in self.seen.values()):
            raise TimeoutError(f"{self._servable} {self._version}: {self.seen}")

    def last(self) -> dict[str, float]:
        """The states of the replica that was available last."""
        return max(self.seen.values(), key=lambda states: states["AVAILABLE"])

    def _follow(self, address: str) -> None:
        states = self.seen[address]
        while "AVAILABLE" not in states and not self._stop.wait(_EVERY):
            try:
                answer = self._servers.statuses(address, [self._servable], timeout=1.0)
            except Unavailable:
                continue
            status = answer[self._servable].get(self._version)
            if status is not None:
                states.setdefault(status.state, time.time())
