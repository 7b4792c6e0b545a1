"""One pod: its containers, what is reported of them, and its end."""

import logging
import shutil
import threading
from collections.abc import Mapping
from typing import Any

import requests

from infra.local.kube_api import ApiError
from infra.local.node import status
from infra.local.node.container import Container
from infra.local.node.kit import Kit, now

LOG = logging.getLogger(__name__)
Json = Mapping[str, Any]
RETRY_SECONDS = 0.5


class Pod(threading.Thread):
    """Runs as a thread of its own, which alone talks about this pod to the API server."""

    def __init__(self, kit: Kit, pod: Json) -> None:
        """Take over a pod that is bound to this node; nothing starts before the thread does."""
        super().__init__(daemon=True)
        self._kit, self.pod = kit, pod
        before = pod.get("status", {})
        self._address = kit.addresses.take(before.get("podIP", ""))
        self._begun = before.get("startTime") or now()
        self._conditions = list(before.get("conditions") or ())
        self._news = threading.Event()
        self._gone = threading.Event()
        self._grace: float | None = None
        self._sent: dict[str, Any] = {}
        self.containers = [
            Container(kit, pod, container, self._address, self._news.set)
            for container in pod["spec"]["containers"]
        ]

    def update(self, pod: Json) -> None:
        """Take note of a change: only its deletion concerns a running pod."""
        self.pod = pod
        if pod["metadata"].get("deletionTimestamp"):
            grace = float(pod["metadata"].get("deletionGracePeriodSeconds") or 0)
            self.end(grace)

    def end(self, grace: float) -> None:
        """End the containers within `grace` seconds; called again, only a shorter time counts."""
        first, self._grace = self._grace is None, grace
        for container in self.containers:
            if first:
                threading.Thread(target=container.end, args=(grace,), daemon=True).start()
            else:
                container.hasten(grace)
        self._news.set()

    def vanish(self) -> None:
        """Kill what runs: nobody is left to report to."""
        self._gone.set()
        if self._grace is None:
            self._grace = 0.0
        for container in self.containers:
            container.kill()
        self._news.set()

    def run(self) -> None:
        """Report until the pod has ended, then take it from the API server."""
        for container in self.containers:
            container.start()
        while not self._over():
            self._news.wait()
            self._news.clear()
            self._report()
        for container in self.containers:
            container.join()
        self._farewell()
        self._kit.addresses.give_back(self._address)
        folder = self._kit.state / self.pod["metadata"]["name"]
        shutil.rmtree(folder / "volumes", ignore_errors=True)
        for root in folder.glob("root-*"):
            root.rmdir()

    def _over(self) -> bool:
        return self._grace is not None and all(each.over.is_set() for each in self.containers)

    def _report(self) -> None:
        if self._gone.is_set():
            return
        seen = [container.seen for container in self.containers]
        self._conditions = status.conditions(seen, self._conditions, now())
        body = status.pod_status(
            seen,
            policy=self.pod["spec"].get("restartPolicy", "Always"),
            address=self._address,
            started=self._begun,
            conditions=self._conditions,
        )
        if body == self._sent:
            return
        patch = {"metadata": {"uid": self.pod["metadata"]["uid"]}, "status": body}
        if self._told("status", lambda: self._kit.api.patch(self._path() + "/status", patch)):
            self._sent = body

    def _farewell(self) -> None:
        deleted = self.pod["metadata"].get("deletionTimestamp")
        if not deleted or self._gone.is_set():
            return
        self._report()
        options = {
            "gracePeriodSeconds": 0,
            "preconditions": {"uid": self.pod["metadata"]["uid"]},
        }
        while not self._gone.is_set():
            if self._told("end", lambda: self._kit.api.delete(self._path(), options)):
                return

    def _told(self, what: str, call: Any) -> bool:  # noqa: ANN401
        """Whether the API server was told; if not, the pod is gone or it is tried again."""
        try:
            call()
        except ApiError as error:
            # 409 with another reason is a race of two patches
            if error.status == 404 or (error.status == 409 and "UID" in str(error).upper()):
                LOG.info("pod %s is gone", self.pod["metadata"]["name"])
                self.vanish()
                return False
            LOG.warning("pod %s: %s not told: %s", self.pod["metadata"]["name"], what, error)
        except requests.RequestException as error:
            LOG.warning("pod %s: %s not told: %s", self.pod["metadata"]["name"], what, error)
        else:
            return True
        self._gone.wait(RETRY_SECONDS)
        self._news.set()
        return False

    def _path(self) -> str:
        meta = self.pod["metadata"]
        return f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"
