"""Memory twin of Kubernetes: server-side apply, and a Deployment controller that moves by ticks."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from berth import ports
from berth.adapters import memory_manifests as manifests
from berth.adapters.memory_calls import Called
from berth.adapters.memory_figures import MemoryFigures
from berth.adapters.memory_runtime import InstantRuntime, Runtime
from berth.domain.errors import Conflict

KINDS = ("Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget")


@dataclass(slots=True)
class _Live:
    pod: ports.Pod
    shard: str
    template: str
    forced: bool | None = None
    ended: bool = False
    evicted: bool = False


class MemoryWorkloads(Called):
    """One namespace.

    `apply` creates pods at once (not started, no address); each `tick` starts new pods, asks the
    runtime whether those started before are ready, removes those that were terminating and takes
    one step of a rolling update (maxUnavailable 0, maxSurge 1). The status of a Deployment changes
    its resourceVersion, as in a real cluster. `writes` keeps (kind, name) of what changed the
    cluster. A call of `before` and `after` (see Called) names the shard, object or pod.
    """

    def __init__(self, clock: ports.Clock, runtime: Runtime | None = None) -> None:
        """Start with an empty namespace."""
        super().__init__()
        self.writes: list[tuple[str, str]] = []
        self.runtime: Runtime = runtime or InstantRuntime()
        self.figures = MemoryFigures()
        self._clock = clock
        self._objects: dict[tuple[str, str], dict[str, Any]] = {}
        self._applied: dict[tuple[str, str], dict[str, Any]] = {}
        self._pods: dict[str, _Live] = {}
        self._version = 100
        self._born = 0
        self._lock = threading.RLock()

    def observe(self, shard: str) -> ports.Workload:
        """Return the shard's objects and pods."""
        with self._called("observe", shard), self._lock:
            objects = {kind: manifests.copied(self._objects.get((kind, shard))) for kind in KINDS}
            return ports.Workload(objects=objects, pods=self._pods_of(shard))

    def pods(self, shard: str) -> tuple[ports.Pod, ...]:
        """Return the shard's pods, ordered by name."""
        with self._called("pods", shard):
            return self._pods_of(shard)

    def usage(self, shard: str) -> Mapping[str, int]:
        """Return what running servers hold; see `figures`."""
        with self._called("usage", shard):
            return self.figures.of(self._pods_of(shard))

    def apply(self, manifest: Mapping[str, Any]) -> None:
        """Apply; nothing changes, resourceVersion included, when nothing is new."""
        kind, name = str(manifest["kind"]), str(manifest["metadata"]["name"])
        wanted = manifests.copied(manifest)
        expected = wanted["metadata"].pop("resourceVersion", None)
        with self._called("apply", f"{kind}/{name}"), self._lock:
            live = self._objects.get((kind, name), {})
            # As a real server does: an object that is gone is created, whatever was expected of it.
            if live and expected and expected != live["metadata"]["resourceVersion"]:
                raise Conflict(f"{kind}/{name}: resourceVersion {expected} is not the newest")
            after = manifests.applied(live, self._applied.get((kind, name), {}), wanted)
            self._applied[kind, name] = wanted
            if after != live:
                self._store(kind, name, live, after)
            for shard in self._shards():
                self._scale(shard)

    def delete(self, kind: str, shard: str, *, uid: str) -> None:
        """Remove one object; the pods of a Deployment terminate."""
        with self._called("delete", f"{kind}/{shard}"), self._lock:
            live = self._objects.get((kind, shard))
            if live is None or live["metadata"]["uid"] != uid:
                return
            del self._objects[kind, shard]
            self._applied.pop((kind, shard), None)
            self.writes.append((kind, shard))
            if kind == "Deployment":
                for pod in self._alive(shard):
                    pod.pod = _ending(pod.pod)

    def delete_pod(self, name: str, *, uid: str) -> None:
        """Let one pod terminate; its replacement is created at once."""
        with self._called("delete_pod", name), self._lock:
            live = self._pods.get(name)
            if live and live.pod.uid == uid and not live.pod.terminating:
                self.writes.append(("Pod", name))
                live.pod = _ending(live.pod)
                self._scale(live.shard)

    def tick(self, times: int = 1) -> None:
        """Let the controllers and the nodes take a step, as often as told."""
        with self._lock:
            for _ in range(times):
                for name in list(self._pods):
                    self._step_pod(name)
                for shard in self._shards():
                    self._scale(shard)
                    self._roll(shard)
                    self._report(shard)

    def kill(self, name: str) -> None:
        """Lose a pod at once, as with its node; the Deployment replaces it."""
        with self._lock:
            self._remove(name)
            for shard in self._shards():
                self._scale(shard)

    def restart(self, name: str, reason: str = "Error", code: int = 255) -> None:
        """Let the server container of a pod end; it starts again, and is counted, at the next tick.

        255 is what TF Serving ends with when its boot config failed.
        """
        with self._lock:
            live = self._pods[name]
            if live.pod.started_at is not None:
                self.runtime.stop(live.shard, live.pod)
            live.ended = True
            live.pod = replace(
                live.pod,
                ready=False,
                started_at=None,
                reason=reason,
                exit=ports.Exit(code, reason, self._clock.now()),
            )

    def evict(self, name: str) -> None:
        """Let the node end a pod: it fails for good, keeps its place in the list, and is replaced."""
        with self._lock:
            live = self._pods[name]
            if live.pod.started_at is not None:
                self.runtime.stop(live.shard, live.pod)
            ended = ports.Exit(137, "Error", self._clock.now())
            live.pod = replace(_ending(live.pod), started_at=None, reason="Error", exit=ended)
            live.evicted = True
            self._scale(live.shard)

    def set_ready(self, name: str, ready: bool | None) -> None:
        """Hold a pod's readiness as told; None gives it back to the runtime."""
        with self._lock:
            live = self._pods[name]
            live.forced = ready
            if ready is not None:
                live.pod = replace(live.pod, ready=ready)

    def _pods_of(self, shard: str) -> tuple[ports.Pod, ...]:
        with self._lock:
            return tuple(
                self._pods[name].pod
                for name in sorted(self._pods)
                if self._pods[name].shard == shard
            )

    def _shards(self) -> list[str]:
        return [name for kind, name in self._objects if kind == "Deployment"]

    def _store(self, kind: str, name: str, live: Mapping[str, Any], after: dict[str, Any]) -> None:
        self._version += 1
        same_spec = live.get("spec") == after.get("spec")
        metadata = after.setdefault("metadata", {})
        metadata.setdefault("uid", f"uid-{kind}-{name}-{self._version}")
        metadata["resourceVersion"] = str(self._version)
        metadata["generation"] = int(metadata.get("generation", 0)) + (0 if same_spec else 1)
        self._objects[kind, name] = after
        self.writes.append((kind, name))

    def _wanted(self, shard: str) -> int:
        autoscaler = self._objects.get(("HorizontalPodAutoscaler", shard))
        return manifests.replicas_of(self._objects["Deployment", shard], autoscaler)

    def _alive(self, shard: str) -> list[_Live]:
        lives = [live for live in self._pods.values() if live.shard == shard]
        return [live for live in lives if not live.pod.terminating]

    def _scale(self, shard: str) -> None:
        if ("Deployment", shard) not in self._objects:
            return
        alive, wanted = self._alive(shard), self._wanted(shard)
        deployment = self._objects["Deployment", shard]
        if deployment["spec"].get("replicas", 1) != wanted:
            deployment["spec"]["replicas"] = wanted
            self._touch(deployment)
        for _ in range(wanted - len(alive)):
            self._create(shard)
        template = manifests.template_of(deployment)
        if all(live.template == template for live in alive):
            for live in alive[wanted:]:
                live.pod = _ending(live.pod)

    def _roll(self, shard: str) -> None:
        template = manifests.template_of(self._objects["Deployment", shard])
        alive, wanted = self._alive(shard), self._wanted(shard)
        old = [live for live in alive if live.template != template]
        if not old:
            return
        ready = sum(live.pod.ready for live in alive)
        spare = [live for live in old if not live.pod.ready] or (old if ready > wanted else [])
        if spare and len(alive) > wanted:
            spare[0].pod = _ending(spare[0].pod)
            alive = self._alive(shard)
        if len(alive) <= wanted and any(live.template != template for live in alive):
            self._create(shard)

    def _create(self, shard: str) -> None:
        self._born += 1
        name = f"{shard}-{self._born:05d}"
        pod = ports.Pod(
            name=name,
            uid=f"uid-{self._born:05d}",
            address="",
            ready=False,
            terminating=False,
            restarts=0,
            started_at=None,
        )
        template = manifests.template_of(self._objects["Deployment", shard])
        self._pods[name] = _Live(pod, shard, template)

    def _step_pod(self, name: str) -> None:
        live = self._pods[name]
        if live.evicted:
            return
        if live.pod.terminating:
            self._remove(name)
        elif live.pod.started_at is None:
            number = int(name.rsplit("-", 1)[1])
            address = f"10.64.{number // 256}.{number % 256}"
            now = self._clock.now()
            restarts, live.ended = live.pod.restarts + live.ended, False
            live.pod = replace(
                live.pod, started_at=now, address=address, reason="", restarts=restarts
            )
            self.runtime.start(live.shard, live.pod)
        elif death := self.runtime.exited(live.shard, live.pod):
            self.restart(name, death.reason, death.code)
        else:
            ready = self.runtime.ready(live.shard, live.pod)
            live.pod = replace(live.pod, ready=ready if live.forced is None else live.forced)

    def _remove(self, name: str) -> None:
        live = self._pods.pop(name)
        if live.pod.started_at is not None:
            self.runtime.stop(live.shard, live.pod)

    def _report(self, shard: str) -> None:
        deployment, alive = self._objects["Deployment", shard], self._alive(shard)
        template = manifests.template_of(deployment)
        ready = sum(live.pod.ready for live in alive)
        status = {
            "observedGeneration": deployment["metadata"]["generation"],
            "replicas": len(alive),
            "updatedReplicas": sum(live.template == template for live in alive),
            "readyReplicas": ready,
            "availableReplicas": ready,
        }
        if deployment.get("status") != status:
            deployment["status"] = status
            self._touch(deployment)

    def _touch(self, item: dict[str, Any]) -> None:
        self._version += 1
        item["metadata"]["resourceVersion"] = str(self._version)


def _ending(pod: ports.Pod) -> ports.Pod:
    return replace(pod, terminating=True, ready=False)
