"""How long a container that ended waits before it starts again, as the kubelet counts. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds: the first restart is immediate, the second waits `base`, then doubling up to `cap`.

    A container that ran longer than twice the cap starts counting anew.
    """

    base: float = 10.0
    cap: float = 300.0
    crashes: int = 0

    @property
    def delay(self) -> float:
        """Seconds to wait before the next start."""
        if self.crashes < 2:
            return 0.0
        return min(self.cap, self.base * 2.0 ** (self.crashes - 2))

    def ended(self, ran: float) -> "Backoff":
        """Return the state after a run of `ran` seconds."""
        crashes = 1 if ran > 2 * self.cap else self.crashes + 1
        return Backoff(self.base, self.cap, crashes)
