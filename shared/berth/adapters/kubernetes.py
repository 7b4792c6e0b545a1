"""Kubernetes through the official client's transport, with plain dictionaries.

The client's own models validate more than the API server does and lose fields they do not know.
"""

import base64
import binascii
import json
import ssl
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Protocol

import urllib3
from kubernetes.client import ApiClient, ApiException, Configuration
from kubernetes.client.exceptions import OpenApiException

from berth import ports
from berth.adapters import kubernetes_pods as pods
from berth.domain import errors

FIELD_MANAGER = "berth"
SHARD_LABEL = "berth.dev/shard"
CONTAINER = pods.CONTAINER
TIMEOUT = (5.0, 10.0)
CONNECTIONS = 32
_HERE = "namespaces/{namespace}"
PATHS = {
    "Deployment": f"/apis/apps/v1/{_HERE}/deployments",
    "Service": f"/api/v1/{_HERE}/services",
    "HorizontalPodAutoscaler": f"/apis/autoscaling/v2/{_HERE}/horizontalpodautoscalers",
    "PodDisruptionBudget": f"/apis/policy/v1/{_HERE}/poddisruptionbudgets",
}
PODS = f"/api/v1/{_HERE}/pods"
FIGURES = f"/apis/metrics.k8s.io/v1beta1/{_HERE}/pods"
TIMEOUTS = {FIGURES: (2.0, 2.0)}  # nothing waits long for what is only good to know
BY_STATUS: Mapping[int, type[errors.BerthError]] = {
    401: errors.Denied,
    403: errors.Denied,
    404: errors.NotFound,
    408: errors.Unavailable,
    409: errors.Conflict,
    429: errors.Throttled,
}


class Token(Protocol):
    """A source of bearer tokens, for many threads."""

    def __call__(self, refused: str = "") -> str:
        """Return a valid token; `refused` is one that the API server did not take."""
        ...


class _Client(ApiClient):  # type: ignore[misc]
    """Sends each request with a token that is valid now; one that is refused is replaced once."""

    def __init__(self, configuration: Configuration, token: Token) -> None:
        super().__init__(configuration)
        self._token = token

    def call_api(self, method: str, url: str, *rest: Any, **named: Any) -> Any:  # noqa: ANN401 - as the client's own
        """Take the headers out of the rest, and send them with a token."""
        given, *others = rest or (None,)

        def send(token: str) -> Any:  # noqa: ANN401
            headers = {**(given or {}), "Authorization": f"Bearer {token}"}
            return super(_Client, self).call_api(method, url, headers, *others, **named)

        token = self._token()
        response = send(token)
        if response.status == 401 and (fresh := self._token(refused=token)) != token:
            response.read()
            response = send(fresh)
        return response


def connect(endpoint: str, authority: str, token: Token) -> ApiClient:
    """Return a client for many threads; nothing is asked of the cluster yet.

    `endpoint` is https://host[:port], `authority` the PEM certificate that its own must come from,
    in base64: no other authority is trusted. Raises Denied when either is damaged.
    """
    if not endpoint.startswith("https://"):
        raise errors.Denied(f"cluster endpoint {endpoint[:60]!r}: not https://host")
    try:
        pem = base64.b64decode(authority, validate=True).decode("ascii")
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem)
    except (binascii.Error, ValueError, ssl.SSLError) as error:
        raise errors.Denied("cluster authority: no PEM certificate in base64") from error
    configuration = Configuration(
        host=endpoint, ca_cert_data=pem, connection_pool_maxsize=CONNECTIONS
    )
    return _Client(configuration, token)


class KubernetesWorkloads:
    """One namespace. May be used by many threads."""

    def __init__(self, namespace: str, api: ApiClient) -> None:
        """Take a client; nothing is asked of the cluster yet."""
        self._namespace = namespace
        self._api = api
        self._pool = ThreadPoolExecutor(max_workers=CONNECTIONS, thread_name_prefix="observe")

    def observe(self, shard: str) -> ports.Workload:
        """Read the five parts at once; any failure is a failure of all."""
        pods = self._pool.submit(self.pods, shard)
        parts = {kind: self._pool.submit(self._get, kind, shard) for kind in PATHS}
        objects = {kind: part.result() for kind, part in parts.items()}
        return ports.Workload(objects=objects, pods=pods.result())

    def pods(self, shard: str) -> tuple[ports.Pod, ...]:
        """List the shard's pods."""
        with translated(f"pods of {shard}"):
            query = [("labelSelector", f"{SHARD_LABEL}={shard}")]
            items = self._call("GET", PODS, query=query)["items"]
        return tuple(sorted((pods.read(item) for item in items), key=lambda pod: pod.name))

    def usage(self, shard: str) -> Mapping[str, int]:
        """List the figures of the shard's pods; an API that is not there is one that did not answer."""
        query = [("labelSelector", f"{SHARD_LABEL}={shard}")]
        try:
            with translated(f"figures of {shard}"):
                items = self._call("GET", FIGURES, query=query)["items"]
        except errors.NotFound as error:
            raise errors.Unavailable(str(error)) from error
        return pods.used_bytes(items)

    def apply(self, manifest: Mapping[str, Any]) -> None:
        """Apply on the server; fields that another manager owns are taken over."""
        kind, name = manifest["kind"], manifest["metadata"]["name"]
        with translated(f"apply {kind}/{name}"):
            try:
                self._call(
                    "PATCH",
                    f"{PATHS[kind]}/{name}",
                    query=[("fieldManager", FIELD_MANAGER), ("force", "true")],
                    content_type="application/apply-patch+yaml",
                    body=manifest,
                )
            except ApiException as error:
                if error.status == 404:
                    raise errors.Denied(f"apply {kind}/{name}: no such namespace") from error
                raise

    def delete(self, kind: str, shard: str, *, uid: str) -> None:
        """Delete with the uid as precondition; what it owns goes after it."""
        self._delete(f"{PATHS[kind]}/{shard}", uid, f"delete {kind}/{shard}")

    def delete_pod(self, name: str, *, uid: str) -> None:
        """Delete with the uid as precondition."""
        self._delete(f"{PODS}/{name}", uid, f"delete pod {name}")

    def _delete(self, path: str, uid: str, what: str) -> None:
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": uid},
            "propagationPolicy": "Background",
        }
        with translated(what):
            try:
                self._call("DELETE", path, body=options)
            except ApiException as error:
                if error.status not in (404, 409):
                    raise

    def _get(self, kind: str, name: str) -> Mapping[str, Any] | None:
        with translated(f"get {kind}/{name}"):
            try:
                return self._call("GET", f"{PATHS[kind]}/{name}")
            except ApiException as error:
                if _names_the_missing(error, name):
                    return None
                raise

    def _call(
        self,
        method: str,
        path: str,
        *,
        query: list[tuple[str, str]] | None = None,
        content_type: str = "application/json",
        body: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = content_type
        request = self._api.param_serialize(
            method,
            path.format(namespace=self._namespace),
            query_params=query,
            header_params=headers,
            body=body,
        )
        response = self._api.call_api(*request, _request_timeout=TIMEOUTS.get(path, TIMEOUT))
        data = response.read()
        if not 200 <= response.status < 300:
            raise ApiException.from_response(http_resp=response, body=data.decode(), data=None)
        answer: dict[str, Any] = json.loads(data)
        return answer


def translate(error: BaseException) -> type[errors.BerthError]:
    """Return Berth's class for a failure of the client or of its transport."""
    if isinstance(error, ApiException) and error.status is not None:
        refused = errors.Retryable if 400 <= error.status < 500 else errors.Unavailable
        return BY_STATUS.get(error.status, refused)
    return errors.Denied if _distrusted(error) else errors.Unavailable


def _distrusted(error: BaseException) -> bool:
    """Whether the server's certificate does not come from the authority that it should."""
    reason = getattr(error, "reason", None)
    cause = reason.args[0] if isinstance(reason, urllib3.exceptions.SSLError) else None
    return isinstance(cause, ssl.SSLCertVerificationError)


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Raise Berth's error for whatever the client raises inside; `what` names the call in it."""
    try:
        yield
    except (OpenApiException, urllib3.exceptions.HTTPError) as error:
        text = str(error)
        if isinstance(error, ApiException):
            text = f"{error.status} {_status(error).get('message', error.reason)}"
        raise translate(error)(f"{what}: {text[:300]}") from error


def _status(error: ApiException) -> Mapping[str, Any]:
    """Return the Status object of a refusal; a proxy in between answers something else."""
    try:
        body = json.loads(error.body or "{}")
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _names_the_missing(error: ApiException, name: str) -> bool:
    """Tell a missing object from a missing API: only the first is an absence."""
    details = _status(error).get("details") or {}
    return error.status == 404 and details.get("name") == name
