"""The operator's policy, `fleet/policy.json`."""

from typing import Annotated

from pydantic import Field

from berth.domain.canonical import Document

GIB = 1024**3


class MovePolicy(Document):
    """The operator's bounds on moves.

    `at_once` models of `bytes_at_once` resident bytes together are on their way at a time (0: none begins;
    a model larger than that goes alone). A target has `patience_seconds`, and ten times the model's measured
    load time, to serve it. For `rest_seconds` a model that moved is not moved again to relieve a shard, and
    one whose move was given up is not sent there again. A shard is relieved down to `high_water`, a share
    of its bounds, and none is filled above it by a move. `wanted` says where models belong by an operator's
    word: {servable: shard}.
    """

    at_once: int = Field(default=20, ge=0)
    bytes_at_once: int = Field(default=4 * GIB, ge=0)
    patience_seconds: int = Field(default=900, ge=1)
    rest_seconds: int = Field(default=3600, ge=1)
    high_water: float = Field(default=1.0, gt=0, le=1)
    wanted: dict[str, str] = {}


# A pool is a label of its nodes and a folder of manifests.
PoolName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$")]


class PoolPolicy(Document):
    """How many shards a pool may have, and the shape of a new one; None is what is deployed.

    A pool grows before it is full: `headroom_percent` of its bytes and of its models stay free, and half
    a shard at least. It gives a shard back when all of its models fit elsewhere, of no more bytes than
    `drain_percent` of its memory (0: never).
    """

    min_shards: int | None = Field(default=None, ge=1)
    max_shards: int | None = Field(default=None, ge=1)
    headroom_percent: int = Field(default=2, ge=0, le=90)
    drain_percent: int = Field(default=50, ge=0, le=100)
    replicas_min: int | None = Field(default=None, ge=1)
    replicas_max: int | None = Field(default=None, ge=1)
    memory_bytes: int | None = Field(default=None, gt=0)
    max_models: int | None = Field(default=None, ge=1)


class Policy(Document):
    """When servers are restarted, how long what was given up is kept, and how the fleet grows: the
    operator's `fleet/policy.json`. Hours are UTC.

    `common` is the pool of everybody who is in no other; `pools` are the others, by name.

    A closed account can be restored for `grace_seconds`; what was deleted, and bytes that nothing
    names, stay for `garbage_seconds`.

    `evidence_per_day` bounds restarts by evidence of the whole fleet (0: none), and between two of
    one shard lie `evidence_rest_seconds`.
    """

    max_age_seconds: int = Field(default=86_400, ge=60)
    restart_before: str = ""
    window_start_hour: int = Field(default=0, ge=0, le=23)
    window_hours: int = Field(default=24, ge=1, le=24)
    wave: int = Field(default=1, ge=1)
    patience_seconds: int = Field(default=900, ge=1)
    evidence_rest_seconds: int = Field(default=3600, ge=1)
    evidence_per_day: int = Field(default=24, ge=0)
    grace_seconds: int = Field(default=7 * 86_400, ge=1)
    garbage_seconds: int = Field(default=86_400, ge=1)
    common: PoolPolicy = PoolPolicy()
    pools: dict[PoolName, PoolPolicy] = {}
    moves: MovePolicy = MovePolicy()

    def pool(self, name: str) -> PoolPolicy:
        """Return what is said of a pool ("" is the common one); the defaults for one that is not named."""
        return self.pools.get(name, PoolPolicy()) if name else self.common
