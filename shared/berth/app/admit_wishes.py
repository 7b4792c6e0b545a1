"""serving.yaml: what an owner wants is validated and copied into the model's document."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from berth.app import control, projecting
from berth.app.verdicts import Verdicts
from berth.domain import documents, serving_yaml
from berth.domain.documents import Model
from berth.domain.errors import InvalidModel, NotFound
from berth.domain.names import SERVING_YAML, STATUS_SUFFIX, ModelName
from berth.domain.outcome import Outcome
from berth.domain.serving_yaml import ServingYaml
from berth.ports import Clock, ObjectStat, ObjectStore, Outbox


@dataclass(frozen=True, slots=True)
class AdmitWishes:
    """Takes up one model's serving.yaml."""

    uploads: ObjectStore
    control: ObjectStore
    outbox: Outbox
    verdicts: Verdicts
    clock: Clock

    def handle(self, name: ModelName) -> Outcome:
        """Apply the newest serving.yaml, answer beside it, and ask for a pass where it mattered.

        What was taken up already is projected and answered again: an earlier delivery may have died.
        """
        known = control.read(self.control, documents.model_name(name), Model).document
        if known is None:
            return self._say(name, "PENDING", "no version of this model is admitted yet")
        stat = self.uploads.stat(name.folder + SERVING_YAML)
        if stat is None or stat.generation < known.wants.source_generation:
            return Outcome("converged", model=name.servable)
        if stat.size > serving_yaml.MAX_BYTES:
            return self._say(name, "REJECTED", f"serving.yaml: {stat.size} bytes are too many")
        data = self._read(stat)
        if data is None:
            return Outcome("converged", model=name.servable, reason="it was replaced meanwhile")
        try:
            self._apply(name, serving_yaml.parse(data), stat.generation)
        except InvalidModel as error:
            return self._say(name, "REJECTED", str(error))
        return self._say(name, "ADMITTED", "")

    def _read(self, stat: ObjectStat) -> bytes | None:
        """Return the generation whose size was looked at: the next one may be of any size."""
        with tempfile.TemporaryDirectory() as folder:
            into = Path(folder) / SERVING_YAML
            try:
                self.uploads.download(stat.name, generation=stat.generation, into=into)
            except NotFound:
                return None
            return into.read_bytes()

    def _apply(self, name: ModelName, wishes: ServingYaml, generation: int) -> None:
        def edit(model: Model | None) -> Model | None:
            if model is None or model.wants.source_generation >= generation:
                return None
            wants = serving_yaml.applied(model, wishes, generation=generation)
            return model.model_copy(update={"wants": wants})

        held = control.change(self.control, documents.model_name(name), Model, edit)
        if held.document is not None:
            shards = projecting.project_model(self.control, held.document, held.generation)
            self.outbox.request_shards(*shards)

    def _say(self, name: ModelName, state: str, reason: str) -> Outcome:
        body = {"state": state, "reason": reason, "at": self.clock.now().isoformat()}
        self.verdicts.answer(name.folder + SERVING_YAML + STATUS_SUFFIX, body)
        return Outcome("changed", model=name.servable, reason=reason, actions=(state,))
