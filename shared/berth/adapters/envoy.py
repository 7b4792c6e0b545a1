"""The Envoy beside us: a folder that it watches, and its admin interface on a Unix socket."""

import http.client
import json
import os
import socket
from collections.abc import Mapping, Set
from pathlib import Path

from berth.domain.errors import Unavailable

TIMEOUT = 2.0
_PART = ".part"
ACTIVE = "^http.door.downstream_rq_active$"


class FolderEnvoy:
    """One folder and one socket. One thread writes."""

    def __init__(self, folder: Path, admin: Path) -> None:
        """The folder is made if it is missing; nothing is asked of Envoy yet."""
        self._folder, self._admin = folder, admin

    def files(self) -> Mapping[str, bytes]:
        """Read all files; what a write before did not finish is taken away."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for path in self._folder.rglob(f".*{_PART}"):
            path.unlink()
        return {
            path.relative_to(self._folder).as_posix(): path.read_bytes()
            for path in self._folder.rglob("*")
            if path.is_file()
        }

    def write(self, name: str, data: bytes) -> None:
        """Write beside, then rename: Envoy reloads when a file is moved into place."""
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}{_PART}")
        part.write_bytes(data)
        os.rename(part, path)

    def remove(self, name: str) -> None:
        """Unlink."""
        (self._folder / name).unlink(missing_ok=True)

    def clusters(self) -> Set[str]:
        """Ask the admin interface, which tells of active clusters alone."""
        told = self._ask("GET", "/clusters?format=json")
        return {one["name"] for one in told.get("cluster_statuses", ())}

    def drain(self) -> None:
        """Let clients go elsewhere: answers close their connections, new ones are still taken."""
        self._ask("POST", "/drain_listeners?graceful&skip_exit")

    def active(self) -> int:
        """How many requests of clients are under way."""
        told = self._ask("GET", f"/stats?format=json&filter={ACTIVE}")
        return sum(int(one.get("value", 0)) for one in told.get("stats", ()))

    def _ask(self, method: str, path: str) -> dict[str, list[dict[str, str]]]:
        connection = _Connection(self._admin)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            data = response.read()
            if response.status != 200:
                raise Unavailable(f"Envoy's admin interface: {path}: {response.status}")
            return json.loads(data) if data.startswith(b"{") else {}
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Unavailable(f"Envoy's admin interface: {path}: {error}") from error
        finally:
            connection.close()


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("envoy", timeout=TIMEOUT)
        self._path = path

    def connect(self) -> None:
        """To the socket's path."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(TIMEOUT)
        self.sock.connect(str(self._path))
