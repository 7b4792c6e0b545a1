"""Observations of one shard, as values: what a test says differs from a shard where all is well."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from berth.domain import plan, routing, serving_config
from berth.domain.documents import Footprint, Projection, Shard
from berth.domain.observation import Observation, Pod, StoredConfig, VersionStatus, Workload
from berth.domain.plan import Frame
from berth.domain.routing import Sources, StoredRoutes
from berth.domain.shard_status import ModelRecord, ShardStatus, Told

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
MOUNT = "/models"
MIB = 1024**2
AVAILABLE = VersionStatus("AVAILABLE")
NAME = "acme.digits"


def ago(seconds):
    return NOW - timedelta(seconds=seconds)


def pod(number=1, **changes):
    started = changes.pop("started", 600)
    return replace(
        Pod(f"p{number}", f"u{number}", f"10.0.0.{number}", True, False, 0, ago(started)), **changes
    )


def projection(*versions, resident=10 * MIB, peak=None, **wants):
    footprint = Footprint(resident_bytes=resident, peak_bytes=peak or resident, load_seconds=1)
    fields = {"keep": 1, "pin": None, "retired": False, "document": 7, **wants}
    return Projection(
        base_path="acme/digits", versions=dict.fromkeys(versions, footprint), **fields
    )


def config(written=3600, generation=1, /, **models):
    """A stored config; `a=(1, 2)` names versions of acme.a."""
    entries = {f"acme.{k}": serving_config.entry(f"{MOUNT}/acme/{k}", v) for k, v in models.items()}
    text = serving_config.render(entries)
    return StoredConfig(text, generation, ago(written), serving_config.parse(text))


def record(*announced, state="SERVING", **more):
    return ModelRecord(
        state=state, announced=announced, document=7, since=ago(3600).isoformat(), **more
    )


def routes(projections, records, configured, *, stored=3600):
    """The routes as they were stored so many seconds ago, from what was recorded then."""
    pending = {name: ModelRecord(state="PENDING") for name in projections}
    sources = Sources(projections, pending | records, frozenset(configured))
    return StoredRoutes(routing.made("shard-0", sources, None, ago(stored)), 5, ago(stored))


def seen(
    *,
    projections=None,
    boot=None,
    live=None,
    records=None,
    pods=None,
    report=None,
    told_ago=60,
    untold=(),
    **changes,
):
    """An observation. `report` is what every serving pod says, by servable and version."""
    pods = (pod(1), pod(2)) if pods is None else pods
    live = config() if live is None else live
    boot = config() if boot is None else boot
    serving = [p for p in pods if p.serving]
    told = {
        p.key: Told(digest=live.digest, at=ago(told_ago).isoformat())
        for p in serving
        if p.name not in untold
    }
    fields = {
        "now": NOW,
        "shard": Shard(shard="shard-0", memory_bytes=2048 * MIB),
        "projections": projections or {},
        "boot": boot,
        "live": live,
        "status": ShardStatus(models=records or {}),
        "status_generation": 3,
        "workload": Workload(objects={}, pods=tuple(pods)),
        "reports": {p.key: report or {} for p in serving},
        "told": told,
        "routes": routes(projections or {}, records or {}, {*boot.entries, *live.entries}),
    }
    return Observation(**{**fields, **changes})


def look(observed, manifests=()):
    """The plan of one look at a shard."""
    return plan.make(observed, Frame(MOUNT, tuple(manifests)))
