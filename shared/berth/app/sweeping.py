"""The sweep: every lost event is found again by comparing the inbox with the admissions."""

from collections import defaultdict

from berth.app import control
from berth.domain import documents, fleet, names
from berth.domain.documents import Admission, Model
from berth.domain.fleet import UploadRow
from berth.domain.manifest import SAVED_MODEL
from berth.domain.names import ModelName, VersionName
from berth.domain.requests import Subject
from berth.ports import ObjectStat, ObjectStore


def due(uploads: ObjectStore, store: ObjectStore) -> tuple[Subject, ...]:
    """Return what the inbox holds that no verdict covers: versions, and newer serving.yaml files."""
    files: dict[VersionName, list[ObjectStat]] = defaultdict(list)
    wishes: dict[ModelName, int] = {}
    for stat in uploads.list(""):
        subject = names.parse_upload(stat.name)
        if isinstance(subject, VersionName):
            files[subject].append(stat)
        elif isinstance(subject, ModelName):
            wishes[subject] = stat.generation
    rows = [_row(version, stats) for version, stats in sorted(files.items())]
    judged = {row.version: _judged(store, row.version) for row in rows}
    heard = {name: _heard(store, name) for name in wishes}
    known = {name: seen for name, seen in heard.items() if seen is not None}
    return (*fleet.unjudged(rows, judged), *fleet.unheard(wishes, known))


def _row(version: VersionName, stats: list[ObjectStat]) -> UploadRow:
    complete = any(stat.name == version.folder + SAVED_MODEL for stat in stats)
    return UploadRow(version, max(stat.generation for stat in stats), complete)


def _judged(store: ObjectStore, version: VersionName) -> int:
    """The newest generation a final verdict saw; 0 without one."""
    name = documents.admission_name(version)
    known = control.read(store, name, Admission).document
    if known is None or known.verdict is None or not known.verdict.final:
        return 0
    return max((file.generation for file in known.manifest.files), default=0)


def _heard(store: ObjectStore, name: ModelName) -> int | None:
    model = control.read(store, documents.model_name(name), Model).document
    return model.wants.source_generation if model else None
