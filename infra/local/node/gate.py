"""When a probe's answers change a container's state: thresholds in a row. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Gate:
    """The verdict so far (None before any), and how often the last answer came in a row."""

    successes: int = 1
    failures: int = 3
    verdict: bool | None = None
    last: bool | None = None
    run: int = 0

    def record(self, answer: bool) -> "Gate":
        """Return the gate after one more answer."""
        run = self.run + 1 if answer == self.last else 1
        reached = run >= (self.successes if answer else self.failures)
        verdict = answer if reached else self.verdict
        return Gate(self.successes, self.failures, verdict, answer, run)
