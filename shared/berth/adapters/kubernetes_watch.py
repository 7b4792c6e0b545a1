"""The shards' replicas, followed by a watch: one list, then every change as it happens.

Where the API server does not answer, what was known last stays.
"""

import json
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import structlog
from kubernetes.client import ApiClient, ApiException

from berth.adapters import kubernetes, kubernetes_pods
from berth.domain.errors import BerthError, Unavailable

LOG = structlog.get_logger()
WATCH_SECONDS = 30  # then the server ends it; the next goes on where it was
SILENCE = 45.0  # longer than that: the connection is lost
RETRY_SECONDS = 1.0


class _Stale(Exception):
    """The server does not remember as far back: everything is to be read again."""


class WatchedReplicas:
    """One namespace, followed by a thread of its own from `start` to `stop`."""

    def __init__(self, namespace: str, api: ApiClient) -> None:
        """Take a client; nothing is asked of the cluster yet."""
        self._path = kubernetes.PODS.format(namespace=namespace)
        self._api = api
        self._pods: dict[str, Mapping[str, Any]] | None = None
        self._lock = threading.Lock()
        self._changed, self._stopping = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="watch")

    def start(self) -> None:
        """Follow from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Follow no longer; a watch that is open ends with its connection."""
        self._stopping.set()
        self._changed.set()

    def ready(self) -> Mapping[str, tuple[str, ...]]:
        """Return what the watch told last."""
        self._changed.clear()
        with self._lock:
            if self._pods is None:
                raise Unavailable("the pods were not read yet")
            items = list(self._pods.values())
        found: dict[str, list[str]] = {}
        for item in items:
            pod = kubernetes_pods.read(item)
            if pod.serving:
                shard = item["metadata"]["labels"][kubernetes.SHARD_LABEL]
                found.setdefault(shard, []).append(pod.address)
        return {shard: tuple(sorted(addresses)) for shard, addresses in sorted(found.items())}

    def wait(self, seconds: float) -> None:
        """Return when the watch told of a change since `ready`."""
        self._changed.wait(seconds)

    def _run(self) -> None:
        version = ""
        while not self._stopping.is_set():
            try:
                version = self._follow(version) if version else self._list()
            except _Stale:
                version = ""
            except BerthError as error:
                LOG.warning("replicas are followed as they were", reason=str(error))
                self._stopping.wait(RETRY_SECONDS)

    def _list(self) -> str:
        with kubernetes.translated("list pods"):
            answer = json.loads(self._open([]).read())
        with self._lock:
            self._pods = {item["metadata"]["uid"]: item for item in answer["items"]}
        self._changed.set()
        return str(answer["metadata"]["resourceVersion"])

    def _follow(self, version: str) -> str:
        query = [
            ("watch", "true"),
            ("allowWatchBookmarks", "true"),
            ("resourceVersion", version),
            ("timeoutSeconds", str(WATCH_SECONDS)),
        ]
        with kubernetes.translated("watch pods"):
            for event in _events(self._open(query)):
                if event["type"] == "ERROR":
                    raise _Stale
                version = self._take(event)
                if self._stopping.is_set():
                    break
        return version

    def _take(self, event: Mapping[str, Any]) -> str:
        item = event["object"]
        metadata = item["metadata"]
        with self._lock:
            pods = self._pods if self._pods is not None else {}
            if event["type"] == "DELETED":
                pods.pop(metadata["uid"], None)
            elif event["type"] != "BOOKMARK":
                pods[metadata["uid"]] = item
        if event["type"] != "BOOKMARK":
            self._changed.set()
        return str(metadata["resourceVersion"])

    def _open(self, query: list[tuple[str, str]]) -> Any:  # noqa: ANN401 - urllib3's response
        labels = [("labelSelector", kubernetes.SHARD_LABEL)]
        request = self._api.param_serialize(
            "GET",
            self._path,
            query_params=labels + query,
            header_params={"Accept": "application/json"},
        )
        response = self._api.call_api(*request, _request_timeout=(5.0, SILENCE))
        if response.status == 410:
            response.read()
            raise _Stale
        if response.status != 200:
            body = response.read().decode(errors="replace")
            raise ApiException.from_response(http_resp=response, body=body, data=None)
        return response.response


def _events(response: Any) -> Iterator[Mapping[str, Any]]:  # noqa: ANN401
    """The events of a watch as they come, one JSON object a line."""
    rest = b""
    try:
        for part in response.stream(65536):
            *lines, rest = (rest + part).split(b"\n")
            yield from (json.loads(line) for line in lines if line)
    finally:
        response.close()
