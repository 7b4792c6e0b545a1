"""Which replicas take traffic, as Kubernetes reports it: a watch on pods, one thread."""

import json
import threading
from dataclasses import dataclass
from typing import Any

import kubernetes
import urllib3

NAMESPACE = "berth"
SHARD = "berth.dev/shard"


@dataclass(frozen=True, slots=True, order=True)
class Replica:
    """One ready pod."""

    name: str
    shard: str
    address: str
    uid: str
    started_at: str

    @property
    def url(self) -> str:
        """Its REST API."""
        return f"http://{self.address}:8501"


class Replicas:
    """The ready replicas of every shard, kept current by a watch."""

    def __init__(self, kubeconfig: str) -> None:
        """Start watching; returns when the first list is in."""
        self._api = kubernetes.client.CoreV1Api(
            kubernetes.config.new_client_from_config(kubeconfig)
        )
        self._ready: dict[str, Replica] = {}
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._stopping = False
        self._listed = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()
        self._listed.wait(30)

    def ready(self, shard: str | None = None) -> tuple[Replica, ...]:
        """The replicas that are ready and not on their way out, ordered by name."""
        with self._lock:
            found = sorted(self._ready.values())
        return tuple(r for r in found if shard is None or r.shard == shard)

    def wait_for_change(self, seconds: float) -> None:
        """Return when readiness changed, or after so many seconds."""
        with self._changed:
            self._changed.wait(seconds)

    def kill(self, replica: Replica) -> None:
        """Delete a pod at once, without grace."""
        self._api.delete_namespaced_pod(replica.name, NAMESPACE, grace_period_seconds=0)

    def close(self) -> None:
        """Stop watching."""
        self._stopping = True

    def _watch(self) -> None:
        while not self._stopping:
            try:
                listed = self._raw()
                with self._changed:
                    self._ready = {r.uid: r for r in map(_replica, listed["items"]) if r}
                    self._changed.notify_all()
                self._listed.set()
                self._follow(listed["metadata"]["resourceVersion"])
            except (urllib3.exceptions.HTTPError, kubernetes.client.ApiException, OSError):
                # The API server may restart; the next list tells what was missed.
                threading.Event().wait(0.2)

    def _raw(self) -> Any:  # noqa: ANN401 - plain JSON
        answer = self._api.list_namespaced_pod(
            NAMESPACE, label_selector=SHARD, _preload_content=False
        )
        return json.loads(answer.data)

    def _follow(self, version: str) -> None:
        stream = self._api.list_namespaced_pod(
            NAMESPACE,
            label_selector=SHARD,
            resource_version=version,
            watch=True,
            timeout_seconds=300,
            _preload_content=False,
        )
        for line in _lines(stream):
            event = json.loads(line)
            if event["type"] == "ERROR":
                return
            pod = event["object"]
            replica = _replica(pod) if event["type"] != "DELETED" else None
            with self._changed:
                self._ready.pop(pod["metadata"]["uid"], None)
                if replica is not None:
                    self._ready[replica.uid] = replica
                self._changed.notify_all()
            if self._stopping:
                return


def _lines(stream: Any) -> Any:  # noqa: ANN401 - urllib3's response
    rest = b""
    for chunk in stream.stream(amt=None, decode_content=False):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line for line in lines if line.strip())


def _replica(pod: dict[str, Any]) -> Replica | None:
    meta, status = pod["metadata"], pod.get("status", {})
    conditions = {c["type"]: c["status"] for c in status.get("conditions", ())}
    if meta.get("deletionTimestamp") or conditions.get("Ready") != "True":
        return None
    running = [
        c["state"]["running"]["startedAt"]
        for c in status.get("containerStatuses", ())
        if "running" in c.get("state", {})
    ]
    started = max(running, default="")
    return Replica(meta["name"], meta["labels"][SHARD], status["podIP"], meta["uid"], started)
