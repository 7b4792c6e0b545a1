"""The only composition root: which adapter stands behind which port, built once per instance.

Vendor SDKs are imported inside the builders, so that no function pays for what it does not use.
"""

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

from berth import settings

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

    from berth.app.admit_model import AdmitModel
    from berth.app.on_customer_event import OnCustomerEvent
    from berth.app.on_upload import OnUpload
    from berth.app.probe_model import ProbeModel
    from berth.app.reconcile_fleet import ReconcileFleet
    from berth.app.reconcile_shard import ReconcileShard
    from berth.app.status import Status
    from berth.domain.fleet import FirstShards
    from berth.domain.prices import Prices
    from berth.ports import ObjectStore, Outbox


@functools.cache
def on_upload() -> "OnUpload":
    """Build on_upload."""
    from berth.app.on_upload import OnUpload

    given = settings.load(settings.Settings)
    return OnUpload(
        bucket=given.uploads_bucket,
        uploads=_store(given, given.uploads_bucket),
        control=_store(given, given.control_bucket),
        outbox=_outbox(given),
    )


@functools.cache
def on_customer_event() -> "OnCustomerEvent":
    """Build on_customer_event."""
    from berth.adapters.clock import SystemClock
    from berth.app.on_customer_event import OnCustomerEvent

    given = settings.load(settings.Settings)
    return OnCustomerEvent(
        uploads=_store(given, given.uploads_bucket),
        control=_store(given, given.control_bucket),
        outbox=_outbox(given),
        clock=SystemClock(),
    )


@functools.cache
def admit_model() -> "AdmitModel":
    """Build admit_model."""
    from berth.adapters.clock import SystemClock
    from berth.adapters.probe import HttpProbe
    from berth.app.admit_model import AdmitModel
    from berth.app.admit_version import AdmitVersion
    from berth.app.admit_wishes import AdmitWishes
    from berth.app.claiming import Claiming
    from berth.app.judging import Judging
    from berth.app.placing import Placing
    from berth.app.promotion import Promotion
    from berth.app.verdicts import Verdicts

    given = settings.load(settings.AdmissionSettings)
    uploads = _store(given, given.uploads_bucket)
    control = _store(given, given.control_bucket)
    outbox, clock, verdicts = _outbox(given), SystemClock(), Verdicts(uploads)
    judging = Judging(
        uploads_bucket=given.uploads_bucket,
        control=control,
        outbox=outbox,
        probe=HttpProbe(
            given.probe_url, grants=not given.storage_emulator, timeout=given.probe_seconds
        ),
        promotion=Promotion(given.uploads_bucket, _store(given, given.models_bucket)),
        claiming=Claiming(control, outbox, clock),
        placing=Placing(control, outbox),
        verdicts=verdicts,
        clock=clock,
    )
    return AdmitModel(
        versions=AdmitVersion(uploads, control, outbox, judging, verdicts, clock),
        wishes=AdmitWishes(uploads, control, outbox, verdicts, clock),
        verdicts=verdicts,
        clock=clock,
    )


@functools.cache
def probe_model() -> "ProbeModel":
    """Build probe_model."""
    from berth.adapters.sandbox import SandboxedLoader
    from berth.adapters.version_files import GrantedFiles
    from berth.app.probe_model import ProbeModel

    given = settings.load(settings.ProbeSettings)
    return ProbeModel(GrantedFiles(anonymous=bool(given.storage_emulator)), SandboxedLoader())


@functools.cache
def reconcile_shard() -> "ReconcileShard":
    """Build reconcile_shard."""
    from berth.adapters.clock import SystemClock
    from berth.adapters.kubernetes import KubernetesWorkloads
    from berth.adapters.tfserving import GrpcModelServers
    from berth.app.reconcile_shard import ReconcileShard
    from berth.app.weighing import Scales
    from berth.domain.workload import Buckets

    given = settings.load(settings.ShardSettings)
    workloads, clock = KubernetesWorkloads(given.namespace, _cluster(given)), SystemClock()
    return ReconcileShard(
        control=_store(given, given.control_bucket),
        workloads=workloads,
        servers=GrpcModelServers(),
        outbox=_outbox(given),
        clock=clock,
        scales=Scales(workloads, clock),
        manifests=_manifests(Path(given.manifests)),
        pools=_pools(Path(given.manifests) / "pools"),
        buckets=Buckets(
            given.namespace, given.models_bucket, given.control_bucket, given.image_registry
        ),
        mount=given.models_mount,
    )


@functools.cache
def reconcile_fleet() -> "ReconcileFleet":
    """Build reconcile_fleet."""
    from berth.adapters.clock import SystemClock
    from berth.app.collecting import Collecting
    from berth.app.reconcile_fleet import ReconcileFleet

    given = settings.load(settings.FleetSettings)
    control, clock = _store(given, given.control_bucket), SystemClock()
    return ReconcileFleet(
        uploads=_store(given, given.uploads_bucket),
        control=control,
        outbox=_outbox(given),
        clock=clock,
        first=_first(given),
        collecting=Collecting(_store(given, given.models_bucket), control, clock),
    )


@functools.cache
def status() -> "Status":
    """Build status."""
    from berth.adapters import prometheus
    from berth.adapters.clock import SystemClock
    from berth.app.foretelling import Foretelling
    from berth.app.sharing import Shared
    from berth.app.status import Status
    from berth.domain.foretold_steps import Rates

    given = settings.load(settings.StatusSettings)
    control, clock = _store(given, given.control_bucket), SystemClock()
    rates = Rates(_prices(), given.serving_machine, given.serving_disk_gib)
    foretelling = Foretelling(control, clock, _first(given), rates)
    return Status(control, prometheus.render, clock, foretelling, Shared(foretelling.fleet))


def _store(given: settings.Settings, bucket: str) -> "ObjectStore":
    from berth.adapters import gcs

    return gcs.GcsObjectStore(_client(given.project, bool(given.storage_emulator)), bucket)


@functools.cache
def _client(project: str, anonymous: bool) -> Any:  # noqa: ANN401 - the SDK has no types
    from berth.adapters import gcs

    return gcs.client(project, anonymous=anonymous)


@functools.cache
def _outbox(given: settings.Settings) -> "Outbox":
    from berth import events
    from berth.adapters import outbox, pubsub
    from berth.adapters.clock import SystemClock

    return outbox.PublishedOutbox(
        pubsub.PubSubPublisher(pubsub.client()),
        outbox.Topics(given.events_topic, given.admission_topic, given.shard_topic),
        outbox.Writing(events.encode, events.encode_request, events.encode_shard),
        SystemClock(),
    )


def _cluster(given: settings.ShardSettings) -> "ApiClient":
    from berth.adapters import cluster_tokens, kubernetes

    token: kubernetes.Token = cluster_tokens.GoogleToken()
    if given.cluster_token_file:
        token = cluster_tokens.FileToken(Path(given.cluster_token_file))
    return kubernetes.connect(given.cluster_endpoint, given.cluster_authority, token)


def _first(given: settings.FleetSettings) -> "FirstShards":
    from berth.domain.fleet import FirstShards

    return FirstShards(
        count=given.first_shards,
        replicas_min=given.replicas_min,
        replicas_max=given.replicas_max,
        memory_bytes=given.shard_memory_mib * 1024**2,
        max_models=given.shard_max_models,
        max_count=given.max_shards,
    )


def _prices() -> "Prices":
    from berth.domain.prices import Prices

    return Prices.decode(Path(__file__).with_name("prices.json").read_text())


def _manifests(folder: Path) -> tuple[dict[str, Any], ...]:
    import yaml

    return tuple(yaml.safe_load(path.read_text()) for path in sorted(folder.glob("*.yaml")))


def _pools(folder: Path) -> dict[str, tuple[dict[str, Any], ...]]:
    return {path.name: _manifests(path) for path in sorted(folder.glob("*/"))}
