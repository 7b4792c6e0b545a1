"""One model's life as a customer sees it: sign-up, upload, served, removed.

The same code runs against a deployment and, as its own test, against the local stack.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.smoke.check import Disproved, until

# What the starter model answers (infra/templates/starter.py): y = x * 0.5 + 2.
_QUESTION, _ANSWER = [[4.0]], 4.0
_MODEL = "line"
_LAST = "saved_model.pb"


@dataclass(frozen=True, slots=True)
class Door:
    """A deployment from outside.

    `uploads` is the inbox, a google-cloud-storage Bucket. `tell` publishes a customer's event.
    `status` asks the status function: HTTP status and JSON. `predict` asks one server, by its
    shard, a REST path and a body: HTTP status and JSON.
    """

    uploads: Any
    tell: Callable[[Mapping[str, Any]], None]
    status: Callable[[str], tuple[int, dict[str, Any]]]
    predict: Callable[[str, str, Mapping[str, Any]], tuple[int, dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Journey:
    """A customer of the check's own; `folder` is a SavedModel, `seconds` the patience for each stage."""

    door: Door
    customer: str
    folder: Path
    seconds: float = 300

    @property
    def servable(self) -> str:
        """The model's name."""
        return f"{self.customer}.{_MODEL}"

    def run(self) -> str:
        """Go all the way; leaves a closed account behind. Returns the stages with their seconds."""
        try:
            told = [f"{name} {stage():.0f} s" for name, stage in self._stages()]
        finally:
            self._clean()
        return ", ".join(told)

    def judged(self) -> str:
        """Go as far as the verdict, which must be a good one."""
        try:
            self._tell("customer.signed_up", plan="standard")
            self._upload()
            took = until("the verdict", self._accepted, seconds=self.seconds)
        finally:
            self._clean()
        return f"admitted after {took:.0f} s"

    def _stages(self) -> tuple[tuple[str, Callable[[], float]], ...]:
        return (
            ("starter", self._starter),
            ("served", self._served),
            ("answered", self._answered),
            ("removed", self._removed),
        )

    def _starter(self) -> float:
        self._tell("customer.signed_up", plan="standard")
        starter = f"{self.customer}.starter"
        return until(f"{starter} serves", lambda: self._serves(starter), seconds=self.seconds)

    def _served(self) -> float:
        self._upload()
        name = self.servable
        return until(f"{name} serves", lambda: self._serves(name), seconds=self.seconds)

    def _answered(self) -> float:
        return until("the answer", self._right, seconds=self.seconds)

    def _removed(self) -> float:
        shard = self._shard()
        self._tell("model.deleted", model=_MODEL)

        def gone() -> bool:
            return not self._serves(self.servable) and self._ask(shard)[0] == 404

        return until(f"{self.servable} is removed", gone, seconds=self.seconds)

    def _tell(self, kind: str, **fields: object) -> None:
        self.door.tell({"type": kind, "customer": self.customer, **fields})

    def _upload(self) -> None:
        files = sorted(path for path in self.folder.rglob("*") if path.is_file())
        for path in sorted(files, key=lambda path: path.name == _LAST):
            name = f"{self.customer}/{_MODEL}/1/{path.relative_to(self.folder).as_posix()}"
            self.door.uploads.blob(name).upload_from_filename(str(path))

    def _accepted(self) -> bool:
        blob = self.door.uploads.get_blob(f"{self.customer}/{_MODEL}/1.status.json")
        verdict = json.loads(blob.download_as_bytes()) if blob is not None else {}
        if verdict.get("state") == "REJECTED":
            raise Disproved(f"the probe refused a good model: {verdict.get('reason')}")
        return bool(verdict.get("state") == "ADMITTED")

    def _serves(self, servable: str) -> bool:
        status, model = self.door.status(f"/models/{servable}")
        return bool(status == 200 and model.get("state") == "SERVING")

    def _shard(self) -> str:
        status, model = self.door.status(f"/models/{self.servable}")
        if status != 200 or not model.get("shard"):
            raise Disproved(f"the status of {self.servable}: {status} {model}")
        return str(model["shard"])

    def _right(self) -> bool:
        status, answer = self._ask(self._shard())
        if status != 200:
            return False
        (found,) = answer["predictions"][0]
        if not math.isclose(found, _ANSWER):
            raise Disproved(f"it answered {found}, not {_ANSWER}")
        return True

    def _ask(self, shard: str) -> tuple[int, dict[str, Any]]:
        path = f"/v1/models/{self.servable}:predict"
        return self.door.predict(shard, path, {"instances": _QUESTION})

    def _clean(self) -> None:
        self._tell("customer.closed")
        for blob in self.door.uploads.list_blobs(prefix=f"{self.customer}/"):
            blob.delete()
