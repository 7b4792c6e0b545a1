"""Routes: which versions of which models routers may send to a shard, as one document a shard.

Made from what a pass sees, read by every router. What routers may still ask for is not taken from
the servers: they poll once a second, so a version that left the routes is kept for ROUTE_GRACE.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from berth.domain.canonical import Document
from berth.domain.documents import Projection
from berth.domain.shard_status import ModelRecord

# For how long after its routes were stored a router may still follow the ones before.
ROUTE_GRACE = timedelta(seconds=5)
# The longest time between a look and the storing of what it gave: a pass ends before its lease does.
STORED_WITHIN = timedelta(seconds=40)
MAX_REASON = 300


class ModelRoute(Document):
    """One model on one shard. Unversioned requests get `default`, but for the percentages of `canary`.

    Without versions nothing is sent here: `reason` says why it may come yet, "" that it is leaving. A
    label whose version is not among `versions` has to wait for it. `keys` are SHA-256 hex digests.
    `arriving`: the model moves here, and is served elsewhere until then. `document` is the generation
    of the model's document; `since` (RFC 3339), when `versions` last changed.
    """

    versions: tuple[int, ...] = ()
    default: int | None = None
    canary: dict[int, int] = {}
    labels: dict[str, int] = {}
    plan: str = ""
    keys: tuple[str, ...] = ()
    document: int = 0
    arriving: bool = False
    reason: str = ""
    since: str = ""


class ShardRoutes(Document):
    """All that routers may send to one shard, by servable."""

    shard: str
    models: dict[str, ModelRoute] = {}


@dataclass(frozen=True, slots=True)
class StoredRoutes:
    """The routes as stored, with their concurrency token. None: what is stored cannot be read."""

    routes: ShardRoutes | None
    generation: int
    updated: datetime


@dataclass(frozen=True, slots=True)
class Sources:
    """What routes are made from: projections, records after a look, and the servables that a config names."""

    projections: Mapping[str, Projection]
    records: Mapping[str, ModelRecord]
    configured: Collection[str]


@dataclass(frozen=True, slots=True)
class _Wished:
    """What an owner said of how requests are spread."""

    pin: int | None
    canary: Mapping[int, int]
    labels: Mapping[str, int]


def made(shard: str, sources: Sources, stored: StoredRoutes | None, now: datetime) -> ShardRoutes:
    """Return the routes of a shard. A model that leaves stays, without versions, until no config names it."""
    before = stored.routes.models if stored and stored.routes else {}
    found = {
        name: _route(
            record,
            sources.projections.get(name),
            before.get(name, ModelRoute()),
            now,
        )
        for name, record in sorted(sources.records.items())
        if name in sources.configured or not _leaves(sources.projections.get(name))
    }
    return ShardRoutes(shard=shard, models=found)


def urgent(stored: StoredRoutes | None, wanted: ShardRoutes) -> bool:
    """Whether routers must learn of a change at once: of what is served, or to whom.

    Reasons and generations follow when the shard is idle.
    """
    if stored is None or stored.routes is None:
        return True
    return _served(stored.routes) != _served(wanted)


def same(stored: StoredRoutes | None, wanted: ShardRoutes) -> bool:
    """Whether the routes are stored as they are wanted."""
    return stored is not None and stored.routes == wanted


def settled(stored: StoredRoutes | None, name: str) -> datetime | None:
    """Return when no router follows older routes of a model any more; None where that is not known.

    Other models change the object too, so a pass that stored what it saw bounds the time as well.
    """
    route = stored.routes.models.get(name) if stored and stored.routes else None
    if stored is None or route is None:
        return None
    bound = datetime.fromisoformat(route.since) + STORED_WITHIN if route.since else stored.updated
    return min(stored.updated, bound) + ROUTE_GRACE


def needed(
    stored: StoredRoutes | None, name: str, versions: Collection[int], now: datetime
) -> frozenset[int]:
    """Return those of the versions that a router may still ask for. All, while nothing is known."""
    if stored is None or stored.routes is None:
        return frozenset(versions)
    if name not in stored.routes.models:  # it stayed there until it was gone
        return frozenset()
    at = settled(stored, name)
    if at is None or now < at:
        return frozenset(versions)
    return frozenset(versions) & frozenset(stored.routes.models[name].versions)


def _served(routes: ShardRoutes) -> dict[str, ModelRoute]:
    quiet = {"document": 0, "reason": "", "since": ""}
    return {name: route.model_copy(update=quiet) for name, route in routes.models.items()}


def _leaves(projection: Projection | None) -> bool:
    return projection is None or projection.retired


def _route(
    record: ModelRecord, projection: Projection | None, before: ModelRoute, now: datetime
) -> ModelRoute:
    versions = record.announced
    same = before.versions == versions and before.since
    wished = _Wished(before.default, before.canary, before.labels)
    if projection is not None:
        wished = _Wished(projection.pin, projection.canary, projection.labels)
    route = before.model_copy(
        update={
            "versions": versions,
            "default": _default(versions, wished),
            "canary": {n: percent for n, percent in wished.canary.items() if n in versions},
            "labels": _labels(versions, wished, before),
            "since": before.since if same else now.isoformat(),
        }
    )
    if projection is None:  # carried forward: what was known of it stays
        return route
    waits = not versions and not projection.retired
    return route.model_copy(
        update={
            "plan": projection.plan,
            "keys": projection.keys,
            "document": projection.document,
            "arriving": projection.arriving,
            "reason": _reason(record) if waits else "",
        }
    )


def _default(versions: tuple[int, ...], wished: _Wished) -> int | None:
    """The version that a request without one gets: the pin, else the newest up to it that is no canary.

    The canary, or what is newer, rather than nothing.
    """
    ordinary = [n for n in versions if n not in wished.canary]
    below = [n for n in ordinary if wished.pin is None or n <= wished.pin]
    return next((some[-1] for some in (below, ordinary, versions) if some), None)


def _labels(versions: tuple[int, ...], wished: _Wished, before: ModelRoute) -> dict[str, int]:
    """A label goes on to name what it named until its new version is served."""
    return {
        label: before.labels[label]
        if number not in versions and before.labels.get(label) in versions
        else number
        for label, number in wished.labels.items()
    }


def _reason(record: ModelRecord) -> str:
    """Why nothing is served yet, in words that do not change with every replica that has loaded."""
    if record.state in ("PENDING", "QUARANTINED") and record.reason:
        return record.reason[:MAX_REASON]
    return "it is being loaded"
