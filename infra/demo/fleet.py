"""An outside client of a Berth deployment: Google's client libraries, kubectl's API and HTTP alone."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import requests
from google.auth.credentials import AnonymousCredentials
from google.cloud import pubsub_v1, storage

from infra.demo.replicas import Replica, Replicas

LAST = "saved_model.pb"


class NotAsItShouldBe(AssertionError):
    """Something the demo promised did not happen."""


class Fleet:
    """What a customer and an operator can do. `environment` holds the names of `.local/env`."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Take the environment of a stack that is up (exported: the client libraries read it)."""
        self.environment = environment
        project = environment["GOOGLE_CLOUD_PROJECT"]
        self.storage = storage.Client(project=project, credentials=AnonymousCredentials())
        self.uploads = self.storage.bucket(environment["BERTH_UPLOADS_BUCKET"])
        self.control = self.storage.bucket(environment["BERTH_CONTROL_BUCKET"])
        self.publisher = pubsub_v1.PublisherClient()
        self.replicas = Replicas(environment["KUBECONFIG"])
        self.http = requests.Session()

    def close(self) -> None:
        """Let go of every connection."""
        self.replicas.close()
        self.publisher.stop()
        self.storage.close()
        self.http.close()

    def publish(self, topic: str, body: Mapping[str, Any]) -> str:
        """Publish JSON to a topic of the environment; return the message id."""
        sent = self.publisher.publish(self.environment[topic], json.dumps(body).encode())
        message: str = sent.result(timeout=30)
        return message

    def sign_up(self, customer: str, plan: str = "standard") -> None:
        """Publish a sign-up."""
        event = {"type": "customer.signed_up", "customer": customer, "plan": plan}
        self.publish("BERTH_CUSTOMER_TOPIC", event)

    def tick(self, *, sweep: bool = False) -> str:
        """Publish what Cloud Scheduler publishes."""
        return self.publish("BERTH_TICK_TOPIC", {"sweep": True} if sweep else {})

    def upload(
        self, folder: Path, prefix: str, *, only: Callable[[str], bool] | None = None
    ) -> None:
        """Upload a version's files under a prefix like `acme/digits/1`, saved_model.pb last."""
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        for path in sorted(files, key=lambda path: path.name == LAST):
            name = path.relative_to(folder).as_posix()
            if only is None or only(name):
                self.uploads.blob(f"{prefix}/{name}").upload_from_filename(str(path))

    def write(self, name: str, text: str) -> None:
        """Write a small object into the inbox."""
        self.uploads.blob(name).upload_from_string(text)

    def verdict(self, name: str) -> dict[str, Any] | None:
        """Return the answer beside an upload, if there is one: `acme/digits/1` -> its status.json."""
        blob = self.uploads.get_blob(f"{name}.status.json")
        return json.loads(blob.download_as_bytes()) if blob is not None else None

    def ask(self, path: str) -> dict[str, Any]:
        """Ask the status function; its error answers are answers too."""
        answer = self.http.get(self.environment["BERTH_STATUS_URL"] + path, timeout=30)
        body: dict[str, Any] = answer.json()
        return body

    def model(self, servable: str) -> dict[str, Any]:
        """Return the status function's view of a model."""
        return self.ask(f"/models/{servable}")

    def serving(self, servable: str, version: int) -> bool:
        """Whether Berth says that this version, and no other, serves."""
        model = self.model(servable)
        states = {row["version"]: row["state"] for row in model.get("versions", ())}
        others = any(state == "SERVING" for v, state in states.items() if v != version)
        return model.get("state") == "SERVING" and states.get(version) == "SERVING" and not others

    def ready(self, servable: str) -> tuple[Replica, ...]:
        """The ready replicas of a model's shard, as Kubernetes reports them."""
        return self.replicas.ready(self.model(servable)["shard"])

    def available(self, replica: Replica, servable: str, version: int) -> bool:
        """Whether one replica's REST API says AVAILABLE."""
        answer = self.http.get(f"{replica.url}/v1/models/{servable}", timeout=10)
        rows = answer.json().get("model_version_status", ())
        return any(r["version"] == str(version) and r["state"] == "AVAILABLE" for r in rows)

    def generations(self) -> dict[str, int]:
        """Every object of the three buckets with its generation."""
        names = ("BERTH_UPLOADS_BUCKET", "BERTH_MODELS_BUCKET", "BERTH_CONTROL_BUCKET")
        return {
            f"{self.environment[name]}/{blob.name}": blob.generation
            for name in names
            for blob in self.storage.list_blobs(self.environment[name])
        }

    def cluster_writes(self, since: int) -> list[dict[str, Any]]:
        """What Berth's account wrote to the cluster after byte `since` of the audit log."""
        return [
            entry
            for entry in self._audit(since)
            if "berth-reconcile-shard" in entry["user"]["username"]
            and entry["verb"] in ("create", "update", "patch", "delete")
        ]

    def pod_changes(self, since: int) -> list[dict[str, Any]]:
        """What anybody changed of pods after byte `since` of the audit log: their status, as a rule."""
        return [
            one for one in self._audit(since) if one.get("objectRef", {}).get("resource") == "pods"
        ]

    def audit_size(self) -> int:
        """Where the audit log ends now."""
        return Path(self.environment["BERTH_AUDIT_LOG"]).stat().st_size

    def _audit(self, since: int) -> Iterator[dict[str, Any]]:
        with Path(self.environment["BERTH_AUDIT_LOG"]).open("rb") as log:
            log.seek(since)
            for line in log:
                if line.endswith(b"\n"):
                    yield json.loads(line)


def until(
    what: str, condition: Callable[[], object], *, seconds: float = 60.0, every: float = 0.05
) -> float:
    """Look until a condition holds; return the seconds it took. Raises NotAsItShouldBe."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            raise NotAsItShouldBe(f"{what}: not within {seconds:.0f} s")
        time.sleep(every)
    return time.monotonic() - began
