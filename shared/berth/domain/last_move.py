"""What a model's document tells of its move from one shard to another: the one under way, or the last one."""

from datetime import datetime, timedelta
from typing import Literal

from pydantic import Field

from berth.domain.canonical import Document
from berth.domain.placement import Decision
from berth.domain.policy import MovePolicy

REASON_LENGTH = 300
# How many targets a model remembers that did not come to serve it.
MAX_AVOIDED = 8


class Move(Document):
    """One move of one model; `bytes` are its resident bytes, `began` and `ended` RFC 3339.

    `avoided` are targets that did not come to serve the model, and since when they are left alone.
    `placed` is the decision for the target while the move is under way.
    """

    source: str
    target: str
    reason: str
    bytes: int = Field(ge=0)
    began: str
    ended: str = ""
    outcome: Literal["", "moved", "abandoned"] = ""
    why: str = ""
    avoided: dict[str, str] = {}
    placed: Decision | None = None

    def metadata(self) -> str:
        """Return it without the decision, in one line: what a listing shows."""
        return self.model_copy(update={"placed": None}).encode().decode().rstrip()

    def avoids(self, shard: str, policy: MovePolicy, now: datetime) -> bool:
        """Whether the model was given up at this shard a short while ago."""
        return shard in self.avoided and within(self.avoided[shard], policy.rest_seconds, now)

    def rests(self, policy: MovePolicy, now: datetime) -> bool:
        """Whether the model has moved a short while ago."""
        return self.outcome == "moved" and within(self.ended, policy.rest_seconds, now)

    def remembered(self, policy: MovePolicy, now: datetime) -> dict[str, str]:
        """Return the targets that are still left alone."""
        return _fresh(self.avoided, policy, now)

    def finished(self, now: datetime) -> "Move":
        """Return it as it ends at its target."""
        at = now.isoformat(timespec="seconds")
        return self.model_copy(update={"ended": at, "outcome": "moved", "placed": None})

    def abandoned(self, why: str, policy: MovePolicy, now: datetime) -> "Move":
        """Return it as it is given up; the target is remembered."""
        at = now.isoformat(timespec="seconds")
        update = {
            "ended": at,
            "outcome": "abandoned",
            "why": why[:REASON_LENGTH],
            "placed": None,
            "avoided": _fresh({**self.avoided, self.target: at}, policy, now),
        }
        return self.model_copy(update=update)


def _fresh(avoided: dict[str, str], policy: MovePolicy, now: datetime) -> dict[str, str]:
    """The newest of the targets that are still left alone."""
    fresh = {shard: at for shard, at in avoided.items() if within(at, policy.rest_seconds, now)}
    newest = sorted(fresh, key=lambda shard: (fresh[shard], shard))[-MAX_AVOIDED:]
    return {shard: fresh[shard] for shard in sorted(newest)}


def within(at: str, seconds: float, now: datetime) -> bool:
    """Whether fewer than so many seconds passed since a time (RFC 3339)."""
    return now - datetime.fromisoformat(at) < timedelta(seconds=seconds)
