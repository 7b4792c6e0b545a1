"""Observing one shard: everything a pass needs, complete or raised."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import structlog

from berth.app import control
from berth.app.weighing import Scales
from berth.domain import documents, serving_config
from berth.domain.documents import Projection, Shard
from berth.domain.errors import Damaged, NotFound, Unavailable
from berth.domain.observation import Observation, Pod, ServerReport, StoredConfig, Workload
from berth.domain.routing import ShardRoutes, StoredRoutes
from berth.domain.shard_status import ShardStatus, Told
from berth.ports import Clock, ModelServers, ObjectStore, Workloads

STATUS_TIMEOUT = 5.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Observer:
    """Asks the control bucket, the cluster and every replica."""

    control: ObjectStore
    workloads: Workloads
    servers: ModelServers
    clock: Clock
    scales: Scales

    def observe(self, shard: str, told: Mapping[str, Told]) -> Observation:
        """Return one look at a shard. Raises NotFound for a shard that has no shape.

        `told` is what this pass itself told replicas since the status document was written.
        """
        with ThreadPoolExecutor(7) as pool:
            shape = pool.submit(control.read, self.control, documents.shard_name(shard), Shard)
            projected = pool.submit(self.projections, shard)
            boot = pool.submit(self._config, documents.boot_name(shard))
            live = pool.submit(self._config, documents.live_name(shard))
            status = pool.submit(
                control.read, self.control, documents.status_name(shard), ShardStatus
            )
            routes = pool.submit(self._routes, documents.routes_name(shard))
            workload = pool.submit(self.workloads.observe, shard)
            document = shape.result().document
            if document is None:
                raise NotFound(f"there is no shard {shard}")
            known = status.result()
            projections, running = projected.result(), workload.result()
            usage = pool.submit(self.scales.held, shard, running.pods)
            configs = (boot.result(), live.result())
            names = _names(projections, *configs)
            reports = self.reports(running, names)
            held, routed = usage.result(), routes.result()
        return Observation(
            now=self.clock.now(),
            shard=document,
            projections=projections,
            boot=configs[0],
            live=configs[1],
            status=known.document or ShardStatus(),
            status_generation=known.generation,
            workload=running,
            reports=reports,
            usage=held,
            told={**(known.document.told if known.document else {}), **told},
            routes=routed,
        )

    def projections(self, shard: str) -> dict[str, Projection]:
        """Return the shard's desired models by servable: one listing."""
        prefix = documents.projections_prefix(shard)
        return {
            stat.name.removeprefix(prefix): Projection.from_metadata(stat.metadata)
            for stat in self.control.list(prefix)
        }

    def reports(self, workload: Workload, names: Sequence[str]) -> dict[str, ServerReport]:
        """Ask every serving replica about every servable; a silent one has no report."""
        serving = [pod for pod in workload.pods if pod.serving]
        if not serving:
            return {}
        with ThreadPoolExecutor(len(serving)) as pool:
            answers = pool.map(lambda pod: self._report(pod, names), serving)
            return {
                pod.key: answer
                for pod, answer in zip(serving, answers, strict=True)
                if answer is not None
            }

    def _report(self, pod: Pod, names: Sequence[str]) -> ServerReport | None:
        try:
            return self.servers.statuses(pod.address, names, timeout=STATUS_TIMEOUT)
        except Unavailable:
            return None  # rollout.quorum is False then: silence concludes nothing

    def _config(self, name: str) -> StoredConfig | None:
        stored = self.control.get(name)
        if stored is None:
            return None
        try:
            text = stored.data.decode()
        except UnicodeDecodeError as error:
            raise Damaged(f"{name} is not text") from error
        return StoredConfig(
            text, stored.stat.generation, stored.stat.updated, serving_config.parse(text)
        )

    def _routes(self, name: str) -> StoredRoutes | None:
        """Return the stored routes. Derived and read by nobody else here: damaged ones are made anew."""
        stored = self.control.get(name)
        if stored is None:
            return None
        found: ShardRoutes | None = None
        try:
            found = ShardRoutes.decode(stored.data)
        except Damaged as error:
            log.error("damaged document", shard=name, reason=str(error))
        return StoredRoutes(found, stored.stat.generation, stored.stat.updated)


def _names(projections: Mapping[str, Projection], *configs: StoredConfig | None) -> tuple[str, ...]:
    named = set(projections)
    for config in configs:
        named |= set(config.entries) if config else set()
    return tuple(sorted(named))
