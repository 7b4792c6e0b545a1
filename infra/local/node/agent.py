"""The agent: watches the pods bound to its node and keeps one Pod for each."""

import logging
import threading
from collections.abc import Mapping
from typing import Any

import requests

from infra.local.kube_api import ApiError
from infra.local.node import launcher, leftovers
from infra.local.node.kit import Kit
from infra.local.node.pod import Pod

LOG = logging.getLogger(__name__)
Json = Mapping[str, Any]
RETRY_SECONDS = 0.5
END_SECONDS = 1.0  # grace of every pod when the agent itself is told to end


class Agent:
    """All pods of one node."""

    def __init__(self, kit: Kit) -> None:
        """Start without pods."""
        self._kit = kit
        self._pods: dict[str, Pod] = {}
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._cleared = False

    def pods(self) -> list[Pod]:
        """Return the pods there are now."""
        with self._lock:
            return list(self._pods.values())

    def run(self) -> None:
        """List, then watch, for ever; a broken watch begins again with a list."""
        while not self._ending.is_set():
            try:
                self._watch(self._list())
            except ApiError as error:
                LOG.warning("watching pods: %s", error)
                self._ending.wait(RETRY_SECONDS)
            except requests.RequestException as error:
                LOG.warning("the API server is away: %s", error)
                self._ending.wait(RETRY_SECONDS)

    def end(self) -> None:
        """End every pod quickly; nothing runs when this returns."""
        self._ending.set()
        pods = self.pods()
        for pod in pods:
            pod.end(END_SECONDS)
        for pod in pods:
            pod.join(END_SECONDS + 5)
        launcher.kill_remembered(self._kit.state / "running")
        self._kit.cgroups.close()

    def _query(self) -> dict[str, str]:
        return {"fieldSelector": f"spec.nodeName={self._kit.node}"}

    def _list(self) -> str:
        found = self._kit.api.get("/api/v1/pods", **self._query())
        here = {pod["metadata"]["uid"]: pod for pod in found["items"]}
        if not self._cleared:
            # Only now it is known what an earlier agent left to be taken over, and what to be ended.
            ended = leftovers.clear(self._kit.state, self._kit.cgroups, here.keys())
            LOG.info("ended %d containers that an earlier agent left of other pods", ended)
            self._cleared = True
        for pod in here.values():
            self._take("MODIFIED", pod)
        for gone in [pod for pod in self.pods() if pod.pod["metadata"]["uid"] not in here]:
            self._take("DELETED", gone.pod)
        return str(found["metadata"]["resourceVersion"])

    def _watch(self, version: str) -> None:
        query = {**self._query(), "resourceVersion": version}
        for event in self._kit.api.watch("/api/v1/pods", query):
            if event["type"] == "ERROR":  # 410: too old a version
                LOG.info("the watch ended: %s", event["object"].get("message"))
                return
            if event["type"] != "BOOKMARK":
                self._take(event["type"], event["object"])

    def _take(self, kind: str, pod: Json) -> None:
        uid = pod["metadata"]["uid"]
        with self._lock:
            if self._ending.is_set():
                return
            known = self._pods.get(uid)
            if kind == "DELETED":
                self._pods.pop(uid, None)
            elif known is None and not _is_over(pod):
                known = self._pods[uid] = Pod(self._kit, pod)
                known.start()
        if known is not None:
            known.vanish() if kind == "DELETED" else known.update(pod)


def _is_over(pod: Json) -> bool:
    """Whether a pod ended before this agent saw it; one being deleted still needs a farewell."""
    finished = pod.get("status", {}).get("phase") in {"Succeeded", "Failed"}
    return finished and not pod["metadata"].get("deletionTimestamp")
