"""Cloud Storage through google-cloud-storage."""

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import IO
from urllib.parse import quote

import google_crc32c
import requests
from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage
from google.cloud.storage.retry import DEFAULT_RETRY
from google.oauth2.credentials import Credentials

from berth import ports
from berth.adapters.google_errors import translated
from berth.domain.errors import Conflict, Denied, Unavailable

TIMEOUT = (5.0, 20.0)
RETRY = DEFAULT_RETRY.with_timeout(20.0).with_delay(initial=0.2, maximum=2.0, multiplier=2.0)
PAGE = 1000
CHUNK = 1 << 20
CONNECTIONS = 32
ITEM = "items(name,generation,size,crc32c,metadata,updated),nextPageToken"
_METADATA = "x-goog-meta-"


def client(project: str, *, anonymous: bool = False, token: str = "") -> storage.Client:
    """Return a client for many threads.

    `anonymous` is for emulators, which the SDK finds itself; a `token` is used instead of the
    instance's own account.
    """
    credentials = AnonymousCredentials() if anonymous else Credentials(token) if token else None
    made = storage.Client(project=project, credentials=credentials)
    pool = requests.adapters.HTTPAdapter(pool_connections=4, pool_maxsize=CONNECTIONS)
    made._http.mount("https://", pool)
    made._http.mount("http://", pool)
    # Made for traces: it asks for each bucket's metadata in a thread, and again after every 404.
    made._bucket_metadata_cache = None
    return made


class GcsObjectStore:
    """One bucket. May be used by many threads."""

    def __init__(self, client: storage.Client, bucket: str) -> None:
        """Take a client; nothing is asked of the service yet."""
        self._client = client
        self._name = bucket
        self._bucket = client.bucket(bucket)

    def get(self, name: str) -> ports.StoredObject | None:
        """Return the newest generation in one request, bytes and facts together."""
        with translated(f"get {self._where(name)}"):
            try:
                found: ports.StoredObject = RETRY(self._read)(name)
                return found
            except exceptions.NotFound as error:
                self._refuse_missing_bucket(error)
                return None

    def stat(self, name: str) -> ports.ObjectStat | None:
        """Return the newest generation's facts."""
        blob = self._bucket.blob(name)
        with translated(f"stat {self._where(name)}"):
            try:
                blob.reload(timeout=TIMEOUT, retry=RETRY)
            except exceptions.NotFound as error:
                self._refuse_missing_bucket(error)
                return None
        return _stat(blob)

    def list(
        self, prefix: str, *, limit: int | None = None, start: str = ""
    ) -> Sequence[ports.ObjectStat]:
        """Return what lies under a prefix, page by page until the end."""
        with translated(f"list {self._where(prefix)}"):
            try:
                blobs = self._client.list_blobs(
                    self._bucket,
                    prefix=prefix,
                    start_offset=start or None,
                    fields=ITEM,
                    page_size=PAGE,
                    max_results=limit,
                    timeout=TIMEOUT,
                    retry=RETRY,
                )
                return tuple(_stat(blob) for blob in blobs)
            except exceptions.NotFound as error:
                raise self._missing() from error

    def folders(self, prefix: str) -> Sequence[str]:
        """Return the folders directly under a prefix."""
        with translated(f"folders {self._where(prefix)}"):
            try:
                blobs = self._client.list_blobs(
                    self._bucket,
                    prefix=prefix,
                    delimiter="/",
                    fields="prefixes,nextPageToken",
                    page_size=PAGE,
                    timeout=TIMEOUT,
                    retry=RETRY,
                )
                for _ in blobs.pages:
                    pass
            except exceptions.NotFound as error:
                raise self._missing() from error
        return tuple(sorted(found[len(prefix) :].rstrip("/") for found in blobs.prefixes))

    def put(
        self,
        name: str,
        data: bytes,
        *,
        if_generation: int | None,
        metadata: Mapping[str, str] | None = None,
    ) -> int:
        """Write in one request; metadata and bytes appear together."""
        blob = self._bucket.blob(name)
        if metadata:
            blob.metadata = dict(metadata)
        with translated(f"put {self._where(name)}"):
            try:
                blob.upload_from_string(
                    data,
                    content_type=_content_type(name),
                    if_generation_match=if_generation,
                    checksum="crc32c",
                    timeout=TIMEOUT,
                    # A repeated unconditional write could undo a later one.
                    retry=None if if_generation is None else RETRY,
                )
            except exceptions.NotFound as error:
                raise self._missing() from error
            except exceptions.PreconditionFailed as error:
                raise Conflict(
                    f"{self._where(name)}: generation {if_generation} is not the newest"
                ) from error
        return int(blob.generation)

    def copy_from(
        self, source_bucket: str, source: str, *, generation: int, name: str
    ) -> ports.ObjectStat:
        """Copy inside the service; the bytes do not come here."""
        pinned = self._client.bucket(source_bucket).blob(source, generation=generation)
        copy = self._bucket.blob(name)
        with translated(f"copy {source_bucket}/{source} to {self._where(name)}"):
            token = None
            while True:
                # The same pinned bytes to the same name: safe to repeat.
                token, _, _ = copy.rewrite(pinned, token=token, timeout=TIMEOUT, retry=RETRY)
                if token is None:
                    return _stat(copy)

    def delete(self, name: str) -> None:
        """Delete, asked once: a repeated delete could remove what was written in between."""
        with translated(f"delete {self._where(name)}"):
            try:
                self._bucket.blob(name).delete(timeout=TIMEOUT, retry=None)
            except exceptions.NotFound as error:
                self._refuse_missing_bucket(error)

    def download(self, name: str, *, generation: int, into: Path) -> None:
        """Stream one pinned generation to a file; a failed one leaves no file."""
        with translated(f"download {self._where(name)}"), ExitStack() as failed:
            failed.callback(into.unlink, missing_ok=True)
            RETRY(self._save)(name, generation, into)
            failed.pop_all()

    def _where(self, name: str) -> str:
        return f"gs://{self._name}/{name}"

    def _read(self, name: str) -> ports.StoredObject:
        checksum, buffer = google_crc32c.Checksum(), io.BytesIO()
        with self._media(name, {}) as response:
            self._drain(response, checksum, buffer)
            stat = _stat_of_headers(name, response.headers)
        return ports.StoredObject(stat, buffer.getvalue())

    def _save(self, name: str, generation: int, into: Path) -> None:
        checksum = google_crc32c.Checksum()
        with self._media(name, {"generation": generation}) as response, into.open("wb") as file:
            self._drain(response, checksum, file)

    @contextmanager
    def _media(self, name: str, query: Mapping[str, int]) -> Iterator[requests.Response]:
        # The XML API: its headers carry generation, checksum and metadata beside the bytes, and its
        # errors tell a missing bucket from a missing object. The SDK's download tells neither, and
        # leaves connections and half a file behind when it fails.
        url = f"{self._client.api_endpoint}/{self._name}/{quote(name, safe='')}"
        with self._client._http.get(url, params=query, timeout=TIMEOUT, stream=True) as response:
            if response.status_code != requests.codes.ok:
                raise exceptions.from_http_status(response.status_code, response.text[:1000])
            yield response

    def _drain(
        self, response: requests.Response, checksum: google_crc32c.Checksum, into: IO[bytes]
    ) -> None:
        # Undecoded: the stored bytes are what was measured, whatever Content-Encoding claims.
        for chunk in response.raw.stream(CHUNK, decode_content=False):
            checksum.update(chunk)
            into.write(chunk)
        if _base64(checksum.digest()) != _hashes(response.headers)["crc32c"]:
            raise Unavailable(f"{response.url}: the bytes do not match their checksum")

    def _missing(self) -> Denied:
        return Denied(f"the bucket {self._name} is missing")

    def _refuse_missing_bucket(self, error: exceptions.NotFound) -> None:
        """An object of a bucket that is missing is not absent, it is unknown."""
        text = str(error)
        if "NoSuchBucket" in text or "bucket does not exist" in text:
            raise self._missing() from error


def _stat(blob: storage.Blob) -> ports.ObjectStat:
    return ports.ObjectStat(
        name=blob.name,
        generation=int(blob.generation),
        size=int(blob.size),
        crc32c=blob.crc32c,
        updated=blob.updated,
        metadata=dict(blob.metadata or {}),
    )


def _stat_of_headers(name: str, headers: Mapping[str, str]) -> ports.ObjectStat:
    metadata = {
        key.lower().removeprefix(_METADATA): value
        for key, value in headers.items()
        if key.lower().startswith(_METADATA)
    }
    return ports.ObjectStat(
        name=name,
        generation=int(headers["x-goog-generation"]),
        size=int(headers["x-goog-stored-content-length"]),
        crc32c=_hashes(headers)["crc32c"],
        updated=parsedate_to_datetime(headers["last-modified"]),
        metadata=metadata,
    )


def _hashes(headers: Mapping[str, str]) -> dict[str, str]:
    return dict(item.strip().split("=", 1) for item in headers["x-goog-hash"].split(","))


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def _content_type(name: str) -> str:
    return "application/json" if name.endswith(".json") else "application/octet-stream"
