"""Cloud Storage in the local stack: fake-gcs-server, its buckets and their notifications."""

import contextlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from google.auth import credentials
from google.cloud import storage

from infra.local import http
from infra.local.part import Part

# The account of the serving pods (runAsUser of k8s/shard): the server makes files that only their
# owner may read, and no GCS FUSE stands between to present them otherwise.
_UNPRIVILEGED = 65532
# Where the server keeps an object's metadata.
_METADATA = "user.metadata"


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server listens, where Pub/Sub is ("host:port"), whether it logs each request."""

    port: int
    pubsub: str
    log_requests: bool = False


def part(binary: Path, folder: Path, where: Address) -> Part:
    """The server over <folder>/objects; it publishes notifications to the emulator.

    It runs unprivileged: as root it would write an object named a/../../x outside its folder. Its
    binary and paths are relative to its own folder, which need not be reachable for its account.
    """
    objects = folder / "objects"
    objects.mkdir(parents=True)
    own = folder / binary.name
    try:
        own.hardlink_to(binary)
    except OSError:
        shutil.copy2(binary, own)
    if os.geteuid() == 0:
        for path in (folder, objects):
            os.chown(path, _UNPRIVILEGED, _UNPRIVILEGED)
    address = f"127.0.0.1:{where.port}"
    argv = (
        *(f"./{own.name}", "-backend", "filesystem", "-filesystem-root", objects.name),
        *("-scheme", "http", "-host", "127.0.0.1", "-port", str(where.port)),
        *("-external-url", f"http://{address}", "-public-host", address),
        *("-log-level", "info" if where.log_requests else "warn"),
    )
    return Part(
        name="storage",
        argv=argv,
        ready=lambda: http.answers(f"http://{address}/storage/v1/b?project=any"),
        environment={"PUBSUB_EMULATOR_HOST": where.pubsub, "HOME": ".", "TMPDIR": "."},
        user=_UNPRIVILEGED,
        cwd=folder,
        restart=True,
        mend=lambda: mend(objects),
    )


def torn(objects: Path) -> list[Path]:
    """The files of a write that had not ended: bytes without metadata.

    The server writes an object in these two steps. Between them no listing of the bucket is
    answered, and a server that is killed there never answers one again. None where the file system
    has no extended attributes: the server then keeps metadata in files of their own.
    """
    found = []
    for path in (one for one in objects.glob("*/**/*") if one.is_file()):
        with contextlib.suppress(OSError):  # gone meanwhile, or no attributes here
            if _METADATA not in os.listxattr(path):
                found.append(path)
    return [] if any(objects.glob("*/**/*.metadata")) else found


def mend(objects: Path) -> None:
    """Remove what a killed server was about to write: nobody was told that it is there."""
    for path in torn(objects):
        path.unlink(missing_ok=True)


def client(url: str, project: str) -> storage.Client:
    """A client of the server at `url`."""
    return storage.Client(
        project=project,
        credentials=credentials.AnonymousCredentials(),
        client_options={"api_endpoint": url},
    )


def create_buckets(url: str, project: str, names: list[str]) -> None:
    """Create the buckets."""
    buckets = client(url, project)
    for name in names:
        buckets.create_bucket(name)


def notify(url: str, bucket: str, topic: str) -> None:
    """Have every finalized object of the bucket published to `topic` (a full resource name).

    Not through the Python client: the server accepts its topic format and then fails every publish.
    """
    body = {"topic": topic, "payload_format": "JSON_API_V1", "event_types": ["OBJECT_FINALIZE"]}
    http.send("POST", f"{url}/storage/v1/b/{bucket}/notificationConfigs", body)
