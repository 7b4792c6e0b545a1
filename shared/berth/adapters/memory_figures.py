"""Memory twin of the metrics API: what the pods' servers hold."""

from collections.abc import Sequence

from berth import ports
from berth.domain.errors import Unavailable

IDLE_BYTES = 320 * 1024**2  # a server without models, as measured


class MemoryFigures:
    """Figures by run: an idle server's, unless told otherwise.

    `served` False: nothing serves the metrics API. A run that ends takes its figure with it.
    """

    def __init__(self) -> None:
        """Start with idle servers."""
        self.served = True
        self._held: dict[str, int] = {}

    def hold(self, key: str, used: int) -> None:
        """Let the run of this key hold so many bytes."""
        self._held[key] = used

    def of(self, pods: Sequence[ports.Pod]) -> dict[str, int]:
        """Return bytes by pod name, of those that run. Raises Unavailable."""
        if not self.served:
            raise Unavailable("the metrics API is not served")
        running = (pod for pod in pods if pod.started_at is not None)
        return {pod.name: self._held.get(pod.key, IDLE_BYTES) for pod in running}
