"""A thin client of the Kubernetes API for the local stack: JSON both ways, errors with a status."""

import base64
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import requests
import yaml
from requests.adapters import HTTPAdapter

Json = dict[str, Any]

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"


class ApiError(Exception):
    """The API server refused: `status` is its HTTP status, the message is its own."""

    def __init__(self, status: int, message: str) -> None:
        """Keep the status for callers that treat 404 or 409 as an answer."""
        super().__init__(f"{status}: {message}")
        self.status = status


class Api:
    """One API server as the user of one kubeconfig. Safe to share between threads.

    Every call raises ApiError for a refusal and requests.RequestException when the server is away.
    """

    def __init__(self, kubeconfig: Path, *, timeout: float = 10.0) -> None:
        """Read the current context of `kubeconfig`: a server, its CA and a bearer token."""
        config = yaml.safe_load(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self.server = str(cluster["server"])
        self._timeout = timeout
        # requests takes authorities from a file only
        self._authority = tempfile.NamedTemporaryFile(suffix=".crt")  # noqa: SIM115
        self._authority.write(base64.b64decode(cluster["certificate-authority-data"]))
        self._authority.flush()
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = self._authority.name
        self._session.headers["Authorization"] = f"Bearer {user['token']}"
        self._session.mount("https://", HTTPAdapter(pool_maxsize=32))

    def close(self) -> None:
        """Close connections and remove the copy of the authority."""
        self._session.close()
        self._authority.close()

    def get(self, path: str, **query: str) -> Json:
        """Read one object or list."""
        return self._send("GET", path + _encoded(query))

    def post(self, path: str, body: Json) -> Json:
        """Create."""
        return self._send("POST", path, body)

    def patch(self, path: str, body: Json, kind: str = STRATEGIC) -> Json:
        """Patch with a body of content type `kind`."""
        return self._send("PATCH", path, body, kind)

    def apply(self, path: str, body: Json, manager: str) -> Json:
        """Server-side apply as field manager `manager`, taking over fields others own."""
        query = _encoded({"fieldManager": manager, "force": "true"})
        return self._send("PATCH", path + query, body, APPLY)

    def delete(self, path: str, body: Json | None = None) -> Json:
        """Delete, with DeleteOptions as body."""
        return self._send("DELETE", path, body)

    def watch(self, path: str, query: dict[str, str], *, seconds: int = 300) -> Iterator[Json]:
        """Yield watch events until the server ends the stream, at the latest after `seconds`."""
        query = query | {
            "watch": "true",
            "timeoutSeconds": str(seconds),
            "allowWatchBookmarks": "true",
        }
        response = self._session.get(
            self.server + path + _encoded(query), stream=True, timeout=(self._timeout, seconds + 10)
        )
        with response:
            _checked(response)
            for line in response.iter_lines(chunk_size=None):
                try:
                    event = json.loads(line)
                except json.JSONDecodeError:
                    return  # a server that ended in the middle of a line
                yield event

    def _send(
        self, method: str, path: str, body: Json | None = None, kind: str = "application/json"
    ) -> Json:
        response = self._session.request(
            method,
            self.server + path,
            data=None if body is None else json.dumps(body),
            headers={"Content-Type": kind},
            timeout=self._timeout,
        )
        _checked(response)
        return dict(response.json())


def _encoded(query: dict[str, str]) -> str:
    return "?" + urlencode(query) if query else ""


def _checked(response: requests.Response) -> None:
    if response.ok:
        return
    try:
        message = str(response.json().get("message", ""))
    except requests.JSONDecodeError:
        message = response.reason
    raise ApiError(response.status_code, message)
