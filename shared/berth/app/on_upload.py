"""on_upload: an object of the inbox was finalized -> does its version need to be judged?"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from berth.app import control
from berth.domain import documents, names
from berth.domain.documents import Admission
from berth.domain.errors import InvalidEvent
from berth.domain.manifest import SAVED_MODEL
from berth.domain.names import BadName, ModelName, VersionName
from berth.domain.outcome import Outcome
from berth.domain.requests import Uploaded
from berth.ports import ObjectStore, Outbox


@dataclass(frozen=True, slots=True)
class OnUpload:
    """Turn a stream of file events into few admission requests."""

    bucket: str
    uploads: ObjectStore
    control: ObjectStore
    outbox: Outbox

    def handle(self, event: Uploaded) -> Outcome:
        """Ask for an admission where one is due. Raises InvalidEvent for another bucket's event."""
        if event.bucket != self.bucket:
            raise InvalidEvent(f"the event is about another bucket: {event.bucket[:80]!a}")
        subject = names.parse_upload(event.name)
        if subject is None:
            return Outcome("converged", reason="an answer of ours")
        if isinstance(subject, VersionName) and not self._due(subject, event):
            return Outcome("converged", version=_label(subject))
        if isinstance(subject, BadName) and not names.answerable(subject.answer):
            raise InvalidEvent(subject.reason)
        self.outbox.request_admission(subject)
        return Outcome("changed", version=_label(subject), actions=("request_admission",))

    def _due(self, version: VersionName, event: Uploaded) -> bool:
        """Whether a judgement could come out differently for this file."""
        name = documents.admission_name(version)
        with ThreadPoolExecutor(1) as pool:
            graph = pool.submit(self.uploads.stat, version.folder + SAVED_MODEL)
            known = control.read(self.control, name, Admission).document
            if graph.result() is None:
                return False
        if known is None or known.verdict is None or not known.verdict.final:
            return True
        relative = event.name.removeprefix(version.folder)
        judged = known.manifest.by_name().get(relative)
        return judged is None or judged.generation != event.generation


def _label(subject: VersionName | ModelName | BadName) -> str:
    if isinstance(subject, VersionName):
        return f"{subject.model.servable}/{subject.number}"
    return subject.servable if isinstance(subject, ModelName) else subject.answer
