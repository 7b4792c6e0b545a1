"""reconcile_shard: one level-based pass over one shard. Look first, lock only to act."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from berth.app import leasing
from berth.app.applying import Applier
from berth.app.leasing import HeldLease
from berth.app.observing import Observer
from berth.app.weighing import Scales
from berth.domain import documents, overlays, plan, workload
from berth.domain.errors import Retryable
from berth.domain.observation import Observation
from berth.domain.outcome import Outcome
from berth.domain.plan import Frame, Plan
from berth.domain.requests import ShardRequest
from berth.ports import Clock, ModelServers, ObjectStore, Outbox, Workloads

LEASE_SECONDS = 40.0
PASS_SECONDS = 25.0
WATCH_SECONDS = 0.05
# Between two looks while only the routers' grace is waited for.
GRACE_SECONDS = 0.25
RETRY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class ReconcileShard:
    """Brings one shard from what is observed to what is desired, one safe step at a time."""

    control: ObjectStore
    workloads: Workloads
    servers: ModelServers
    outbox: Outbox
    clock: Clock
    scales: Scales
    manifests: Sequence[dict[str, Any]]
    buckets: workload.Buckets
    mount: str
    pools: Mapping[str, Sequence[dict[str, Any]]] = field(default_factory=dict)

    def handle(self, request: ShardRequest) -> Outcome:
        """Make a pass. An empty difference ends it with zero writes."""
        shard, lease_name = request.shard, documents.lease_name(request.shard)
        answer = leasing.ask(self.control, self.clock, lease_name, holder=request.message)
        if answer != "acquired":
            return Outcome("deferred", shard=shard, reason="its lease holder looks again")
        seen = self._observer().observe(shard, {})
        first = self._plan(seen)
        if first.done:
            return Outcome("converged", shard=shard)
        held = leasing.take(
            self.control, self.clock, lease_name, holder=request.message, seconds=LEASE_SECONDS
        )
        if held is None:
            return self.handle(request)
        try:
            return self._act(shard, held)
        except Retryable:
            held.drop()
            raise

    def _act(self, shard: str, held: HeldLease) -> Outcome:
        """Look and act until nothing is left to do, or the pass's time is up."""
        applier = Applier(
            shard, self.control, self.workloads, self.servers, self.outbox, self.clock, held
        )
        observer, taken = self._observer(), list[str]()
        while True:
            seen = observer.observe(shard, applier.told)
            made = self._plan(seen)
            if made.actions:
                taken += applier.apply(made)
                if not applier.moved:
                    self.clock.sleep(RETRY_SECONDS)
            elif not made.done and self._time_left(held):
                self._watch(observer, seen, made, held)
            elif held.leave():
                break
            if not self._time_left(held):
                return self._hand_over(shard, held, tuple(taken))
            held.take_up()
        return Outcome("changed" if taken else "deferred", shard=shard, actions=tuple(taken))

    def _hand_over(self, shard: str, held: HeldLease, taken: tuple[str, ...]) -> Outcome:
        """Time is up: leave, and if this pass moved anything, ask for another; else the tick does."""
        wanted = not held.leave()
        if wanted:
            held.take_up()
            held.leave()
        if wanted or taken:
            self.outbox.request_shards(shard)
        return Outcome("deferred", shard=shard, actions=taken, reason="unfinished")

    def _time_left(self, held: HeldLease) -> bool:
        return held.seconds_left() > LEASE_SECONDS - PASS_SECONDS

    def _watch(self, observer: Observer, seen: Observation, made: Plan, held: HeldLease) -> None:
        """Wait until what the replicas say of the open rollouts changes, what was kept for routers is
        no longer needed, or somebody asks for a look.
        """
        before = {
            p.key: {n: r[n] for n in made.open if n in r}
            for p in seen.serving
            if made.open and (r := seen.reports.get(p.key))
        }
        pods = {(pod.key, pod.serving) for pod in seen.workload.pods}
        while self._time_left(held) and (left := self._until(made)) > 0:
            self.clock.sleep(min(WATCH_SECONDS if made.open else GRACE_SECONDS, left))
            now_pods = self.workloads.pods(seen.shard.shard)
            if {(pod.key, pod.serving) for pod in now_pods} != pods:
                return
            reports = observer.reports(seen.workload, made.open) if made.open else {}
            if {k: dict(v) for k, v in reports.items()} != before or held.wanted_now():
                return

    def _until(self, made: Plan) -> float:
        """Return the seconds until time alone brings more to do."""
        return (made.until - self.clock.now()).total_seconds() if made.until else PASS_SECONDS

    def _plan(self, seen: Observation) -> Plan:
        patches = self.pools.get(seen.shard.pool, ())
        manifests = overlays.overlaid(self.manifests, patches)
        rendered = workload.render(manifests, seen.shard, self.buckets)
        return plan.make(seen, Frame(self.mount, rendered))

    def _observer(self) -> Observer:
        return Observer(self.control, self.workloads, self.servers, self.clock, self.scales)
