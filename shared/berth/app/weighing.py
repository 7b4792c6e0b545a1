"""Weighing: what each run of a server holds in memory, asked for at most once a minute and shard."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from berth.domain.errors import Retryable
from berth.domain.observation import Pod
from berth.ports import Clock, Workloads

log = structlog.get_logger()
INTERVAL = timedelta(seconds=55)


@dataclass(frozen=True, slots=True)
class _Figures:
    """The last answer: when, and bytes by run; `held` is what a run had then and the time before."""

    at: datetime
    last: Mapping[str, int]
    held: Mapping[str, int]


@dataclass(slots=True)
class Scales:
    """Remembers figures as long as its instance lives. What it does not know is not there.

    A spike is no evidence: what counts is the lesser of two figures in a row of the same run. So a
    figure of the run before, which the metrics API may still tell, does not count either.
    """

    workloads: Workloads
    clock: Clock
    figures: dict[str, _Figures] = field(default_factory=dict)

    def held(self, shard: str, pods: Sequence[Pod]) -> Mapping[str, int]:
        """Return bytes by the key of the run, of those whose two figures are known."""
        known, now = self.figures.get(shard), self.clock.now()
        if not pods or (known is not None and now - known.at < INTERVAL):
            return known.held if known else {}
        last = self._ask(shard, pods)
        before = known.last if known else {}
        held = {key: min(used, before[key]) for key, used in last.items() if key in before}
        self.figures[shard] = _Figures(now, last, held)
        return held

    def _ask(self, shard: str, pods: Sequence[Pod]) -> Mapping[str, int]:
        try:
            used = self.workloads.usage(shard)
        except Retryable as error:  # nothing is concluded, and nothing else waits for it
            log.warning("memory unknown", shard=shard, reason=str(error)[:300])
            return {}
        return {pod.key: used[pod.name] for pod in pods if pod.serving and pod.name in used}
