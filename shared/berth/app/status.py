"""status: the fleet, its shards and models as JSON values, read from the control bucket alone."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from berth.app import control, rooms
from berth.app.foretelling import Foretelling
from berth.domain import documents, foretold_words, names, restarts
from berth.domain.canonical import Document
from berth.domain.documents import Admission, Model, Policy, Shard
from berth.domain.errors import InvalidEvent, NotFound
from berth.domain.foretelling import Foretold
from berth.domain.names import ModelName, VersionName
from berth.domain.outcome import Text
from berth.domain.shard_status import ModelRecord, ShardStatus
from berth.ports import Clock, ObjectStore

REST_PORT = 8501
PATHS = (
    *("/fleet", "/shards/<shard>", "/models/<customer>.<model>"),
    *("/plan", "/plan/<shard>", "/metrics"),
)
PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Status:
    """Answers questions; writes nothing.

    `look` is the foretold tick: one look may serve many who ask at the same time.
    """

    control: ObjectStore
    metrics: Callable[[Mapping[str, Any]], str]
    clock: Clock
    foretelling: Foretelling
    look: Callable[[], Foretold]

    def ask(self, path: str, *, words: bool = False) -> dict[str, Any] | Text:
        """Answer one HTTP path, a plan in words where these are asked for.

        Raises NotFound for an unknown one.
        """
        kind, _, name = path.strip("/").partition("/")
        if kind == "plan":
            return self._plan(name, words=words)
        if kind == "fleet" and not name:
            return self.fleet()
        if kind == "shards" and name:
            return self.shard(name)
        if kind == "models" and name:
            return self.model(name)
        if kind == "metrics" and not name:
            return Text(self.metrics(self.fleet()), PROMETHEUS)
        raise NotFound(f"ask {', '.join(PATHS)}")

    def _plan(self, shard: str, *, words: bool) -> dict[str, Any] | Text:
        if shard:
            one = self.foretelling.shard(shard)
            return Text(foretold_words.of_pass(one)) if words else one.model_dump(mode="json")
        plan = self.look()
        return Text(foretold_words.of_tick(plan)) if words else plan.model_dump(mode="json")

    def fleet(self) -> dict[str, Any]:
        """Return customers, shards that are not removed with models and bounds, and rollouts in progress."""
        policy = self._policy()
        shards = {
            name: self._shard_row(shape, policy)
            for name, shape in rooms.shards(self.control).items()
            if shape.state != "removed"
        }
        customers = [
            stat.name.removeprefix("customers/").removesuffix(".json")
            for stat in self.control.list("customers/")
        ]
        rollouts = [
            {"model": name, "shard": shard, "reason": record["reason"], "since": record["since"]}
            for shard, row in shards.items()
            for name, record in row["models"].items()
            if record["state"] == "LOADING"
        ]
        return {"customers": customers, "shards": shards, "rollouts": rollouts}

    def shard(self, shard: str) -> dict[str, Any]:
        """Return one shard. Raises NotFound."""
        shape = control.read(self.control, documents.shard_name(shard), Shard).document
        if shape is None:
            raise NotFound(f"there is no shard {shard[:60]!a}")
        return self._shard_row(shape, self._policy())

    def model(self, servable: str) -> dict[str, Any]:
        """Return one model: its state and why, its shard, versions and endpoints. Raises NotFound."""
        try:
            name = names.servable(servable)
        except InvalidEvent as error:
            raise NotFound(str(error)) from error
        model = control.read(self.control, documents.model_name(name), Model).document
        verdicts = self._verdicts(name)
        if model is None and not verdicts:
            raise NotFound(f"{servable} is unknown: nothing was uploaded or judged under this name")
        status = self._status(model.shard) if model else ShardStatus()
        record = status.models.get(servable)
        state, reason = _state(model, record, verdicts)
        serving = state == "SERVING" or bool(record and record.announced)
        return {
            "model": servable,
            "state": state,
            "reason": reason,
            "shard": model.shard if model else None,
            "placed": _plain(model.placed) if model else None,
            "target": model.target if model else None,
            "move": _plain(model.move) if model else None,
            "versions": _versions(model, record, verdicts),
            "endpoints": [
                f"http://{replica.address}:{REST_PORT}"
                for replica in status.replicas
                if replica.ready and serving
            ],
        }

    def _status(self, shard: str) -> ShardStatus:
        name = documents.status_name(shard)
        return control.read(self.control, name, ShardStatus).document or ShardStatus()

    def _policy(self) -> Policy:
        held = control.read(self.control, documents.POLICY, Policy)
        return held.document or Policy()

    def _shard_row(self, shape: Shard, policy: Policy) -> dict[str, Any]:
        status = self._status(shape.shard)
        summary = status.summary(shape.shard) if status.replicas else None
        phase = restarts.phase(shape, summary, policy=policy, now=self.clock.now())
        return {
            "state": shape.state,
            "replicas": [replica.model_dump(mode="json") for replica in status.replicas],
            "replicas_min": shape.replicas_min,
            "replicas_max": shape.replicas_max,
            "restart_at": shape.restart_at,
            "restart": phase,
            "restarted_for": shape.restarted_for,
            "capacity": status.capacity.model_dump(mode="json"),
            "models": {
                name: record.model_dump(mode="json") for name, record in status.models.items()
            },
        }

    def _verdicts(self, name: ModelName) -> dict[int, Admission]:
        found = {}
        prefix = f"admissions/{name.servable}/"
        for stat in self.control.list(prefix, limit=1000):
            number = int(stat.name.removeprefix(prefix).removesuffix(".json"))
            version = documents.admission_name(VersionName(name, number))
            document = control.read(self.control, version, Admission).document
            if document is not None:
                found[number] = document
        return found


def _plain(document: Document | None) -> dict[str, Any] | None:
    return document.model_dump(mode="json") if document is not None else None


def _state(
    model: Model | None, record: ModelRecord | None, verdicts: dict[int, Admission]
) -> tuple[str, str]:
    """The model's state: what its shard observed, else what its admissions say."""
    if model is None:
        newest = verdicts[max(verdicts)].verdict
        if newest is None:
            return "PENDING", "being judged"
        state = "REJECTED" if newest.state == "REJECTED" else "PENDING"
        return state, f"version {max(verdicts)}: {newest.state.lower()}: {newest.reason}"
    if record is None:
        return "PENDING", f"placed on {model.shard}, which has not taken it up yet"
    return record.state, record.reason


def _versions(
    model: Model | None, record: ModelRecord | None, verdicts: dict[int, Admission]
) -> list[dict[str, Any]]:
    """Every version that was judged or admitted, newest first."""
    observed = record.versions if record else {}
    admitted = set(model.versions) if model else set()
    rows = []
    for number in sorted({*observed, *admitted, *verdicts}, reverse=True):
        if number in observed:
            seen = observed[number]
            row = {"state": seen.state, "reason": seen.reason, "replicas": seen.replicas}
        elif number in admitted:
            row = _admitted(record)
        else:
            row = _judged(verdicts[number])
        rows.append({"version": number, **row})
    return rows


def _admitted(record: ModelRecord | None) -> dict[str, Any]:
    if record is None:
        return {"state": "PENDING", "reason": "not taken up by its shard yet", "replicas": 0}
    return {"state": "RETIRED", "reason": "admitted, but not wanted now", "replicas": 0}


def _judged(admission: Admission) -> dict[str, Any]:
    verdict = admission.verdict
    rejected = verdict is not None and verdict.state == "REJECTED"
    reason = verdict.reason if verdict else "being judged"
    return {"state": "REJECTED" if rejected else "PENDING", "reason": reason, "replicas": 0}
