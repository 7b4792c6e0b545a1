"""A small HTTP/1.1 server: a thread a connection, as many requests at once as it has workers."""

import email.utils
import gzip
import http
import socket
import threading
import zlib
from collections.abc import Callable
from typing import BinaryIO, NamedTuple

from infra.local.tfserving import log

_LONGEST_LINE = 65536


class Request(NamedTuple):
    """Method, the raw target (query included) and the whole body."""

    method: str
    target: str
    body: bytes


class Response(NamedTuple):
    """Status code, body, and its type; `extra` are header lines."""

    code: int
    body: bytes
    content_type: str = "application/json"
    extra: str = ""


Handler = Callable[[Request], Response]


class _BadRequest(Exception):
    """The bytes on the connection are not HTTP/1.1."""


class Server:
    """Listens on one address. One worker is the event loop: a server of one serves nothing."""

    def __init__(self, host: str, port: int, workers: int, handler: Handler) -> None:
        """Bind and listen. Raises OSError."""
        self._handler = handler
        self._workers = threading.Semaphore(max(workers - 1, 0))
        self._socket = socket.create_server((host, port), backlog=512, reuse_port=False)

    def start(self) -> None:
        """Accept connections in a thread of its own."""
        threading.Thread(target=self._accept, daemon=True, name="rest").start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream:
            try:
                while self._exchange(connection, stream):
                    pass
            except _BadRequest as error:
                body = b"<HTML><HEAD>\n<TITLE>400 Bad Request</TITLE>\n</HEAD></HTML>\n"
                log.info(f"bad HTTP request: {error}")
                connection.sendall(_head(Response(400, body, "text/html"), keep=False) + body)
            except ConnectionError as error:
                log.info(f"connection lost: {error}")

    def _exchange(self, connection: socket.socket, stream: BinaryIO) -> bool:
        first = stream.readline(_LONGEST_LINE)
        if not first:
            return False
        parts = first.decode("latin-1").split()
        if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
            raise _BadRequest(f"request line {first!r}")
        headers = _headers(stream)
        keep = headers.get("connection", "").lower() != "close" and parts[2] != "HTTP/1.0"
        if headers.get("expect", "").lower() == "100-continue":
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = _body(stream, headers)
        with self._workers:
            response = self._handler(Request(parts[0], parts[1], body))
        sent = b"" if parts[0] == "HEAD" else response.body
        connection.sendall(_head(response, keep=keep) + sent)
        return keep


def _headers(stream: BinaryIO) -> dict[str, str]:
    headers: dict[str, str] = {}
    while True:
        line = stream.readline(_LONGEST_LINE)
        if line in (b"\r\n", b"\n"):
            return headers
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon:
            raise _BadRequest(f"header line {line!r}")
        headers[name.strip().lower()] = value.strip()


def _body(stream: BinaryIO, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = _chunks(stream)
    else:
        length = headers.get("content-length", "0")
        if not length.isdigit():
            raise _BadRequest(f"Content-Length {length}")
        body = _exactly(stream, int(length))
    if headers.get("content-encoding", "").lower() == "gzip":
        try:
            return gzip.decompress(body)
        except (OSError, EOFError, zlib.error) as error:
            raise _BadRequest("body is not gzip") from error
    return body


def _chunks(stream: BinaryIO) -> bytes:
    parts: list[bytes] = []
    while True:
        size = stream.readline(_LONGEST_LINE).split(b";")[0].strip()
        try:
            length = int(size, 16)
        except ValueError as error:
            raise _BadRequest(f"chunk size {size!r}") from error
        if not length:
            _headers(stream)
            return b"".join(parts)
        parts.append(_exactly(stream, length))
        stream.readline(_LONGEST_LINE)


def _exactly(stream: BinaryIO, length: int) -> bytes:
    body = stream.read(length)
    if len(body) < length:
        raise _BadRequest("the body is cut short")
    return body


def _head(response: Response, *, keep: bool) -> bytes:
    reason = _REASONS.get(response.code, "Unknown")
    closing = "" if keep else "Connection: close\r\n"
    return (
        f"HTTP/1.1 {response.code} {reason}\r\nContent-Type: {response.content_type}\r\n"
        f"Date: {email.utils.formatdate(usegmt=True)}\r\n"
        f"Content-Length: {len(response.body)}\r\n{response.extra}{closing}\r\n"
    ).encode("latin-1")


_REASONS = {each.value: each.phrase for each in http.HTTPStatus} | {499: "Client Closed Request"}
