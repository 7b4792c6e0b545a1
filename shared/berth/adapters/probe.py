"""The probe function over HTTP, with grants that reach one version's files and nothing else."""

import threading
import time

import google.auth
import google.auth.credentials
import google.auth.exceptions
import google.auth.transport.requests
import pydantic
import requests
from google.auth import downscoped
from google.oauth2 import id_token

from berth.domain.errors import Denied, Retryable, Throttled, Unavailable
from berth.domain.probing import ProbeReport, ProbeRequest

SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
ROLE = "inRole:roles/storage.objectViewer"
# An identity token lives an hour; a new one is asked for well before.
TOKEN_SECONDS = 1800.0
# A report is a few KiB; signatures and files by the thousand make it some MiB.
MAX_REPORT_BYTES = 8 << 20
CHUNK_BYTES = 1 << 16


class HttpProbe:
    """Posts a request, reads a report. May be used by many threads."""

    def __init__(self, url: str, *, grants: bool, timeout: float) -> None:
        """Take the function's address.

        `grants` puts an access token scoped to the request's prefix into each request; without, the
        probe reads on its own account (emulators). `timeout` in seconds for one judgement.
        """
        self._url = url
        self._grants = grants
        self._timeout = timeout
        self._session = requests.Session()
        self._credentials: google.auth.credentials.Credentials | None = None
        self._identity: tuple[float, str] | None = None
        self._lock = threading.Lock()

    def probe(self, request: ProbeRequest) -> ProbeReport:
        """Judge one version. Raises Denied when the grant or the call is refused."""
        try:
            if self._grants:
                request = request.model_copy(update={"access_token": self._access_token(request)})
            headers = {"Content-Type": "application/json"}
            if self._url.startswith("https://"):
                headers["Authorization"] = f"Bearer {self._identity_token()}"
            status, content = self._post(request.model_dump_json().encode(), headers)
        except google.auth.exceptions.TransportError as error:
            raise Unavailable(f"probe: {error}") from error
        except google.auth.exceptions.GoogleAuthError as error:
            raise Denied(f"probe: {error}") from error
        except requests.exceptions.RequestException as error:
            raise Unavailable(f"probe: {type(error).__name__}") from error
        return _report(status, content)

    def _post(self, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        try:
            return self._send(body, headers)
        except requests.exceptions.ConnectTimeout:
            raise
        except requests.exceptions.ConnectionError:
            # Refused, or a kept connection that the other side had closed: judging twice is safe.
            return self._send(body, headers)

    def _send(self, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        timeout = (5, self._timeout)
        with self._session.post(
            self._url, data=body, headers=headers, timeout=timeout, stream=True
        ) as response:
            content = bytearray()
            for chunk in response.iter_content(CHUNK_BYTES):
                content += chunk
                if len(content) > MAX_REPORT_BYTES:
                    raise Unavailable(f"probe: a report of more than {MAX_REPORT_BYTES} bytes")
            return response.status_code, bytes(content)

    def _identity_token(self) -> str:
        with self._lock:
            if self._identity is None or time.monotonic() > self._identity[0]:
                transport = google.auth.transport.requests.Request()
                token = id_token.fetch_id_token(transport, self._url)
                self._identity = (time.monotonic() + TOKEN_SECONDS, token)
            return self._identity[1]

    def _access_token(self, request: ProbeRequest) -> str:
        with self._lock:
            if self._credentials is None:
                self._credentials, _ = google.auth.default(scopes=SCOPES)
            source = self._credentials
        scoped = downscoped.Credentials(
            source_credentials=source, credential_access_boundary=boundary(request)
        )
        scoped.refresh(google.auth.transport.requests.Request())
        return str(scoped.token)


def boundary(request: ProbeRequest) -> downscoped.CredentialAccessBoundary:
    """Return the boundary that lets a token read the request's prefix alone."""
    if "'" in request.prefix or "\\" in request.prefix:
        raise Denied(f"no grant can be written for {request.prefix!r}")
    objects = f"projects/_/buckets/{request.bucket}/objects/{request.prefix}"
    condition = downscoped.AvailabilityCondition(
        f"resource.name.startsWith('{objects}')", title="one version"
    )
    rule = downscoped.AccessBoundaryRule(
        available_resource=f"//storage.googleapis.com/projects/_/buckets/{request.bucket}",
        available_permissions=[ROLE],
        availability_condition=condition,
    )
    return downscoped.CredentialAccessBoundary([rule])


def _report(status: int, content: bytes) -> ProbeReport:
    if status == requests.codes.ok:
        try:
            return ProbeReport.model_validate_json(content)
        except pydantic.ValidationError as error:
            raise Unavailable(f"probe: an answer that is no report: {error.title}") from error
    if status in (401, 403):
        raise Denied(f"probe: {status}")
    if status == 429:
        raise Throttled("probe: 429")
    if 400 <= status < 500:
        raise Retryable(f"probe: {status}, the request is refused")
    raise Unavailable(f"probe: {status}")
