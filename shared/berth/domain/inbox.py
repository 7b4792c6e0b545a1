"""One customer's share of a sweep, from a listing of their inbox: what it holds, and where to go on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from berth.domain import names
from berth.domain.canonical import Document
from berth.domain.fleet import UploadRow
from berth.domain.manifest import SAVED_MODEL
from berth.domain.names import ModelName, VersionName

# What one sweep looks at for one customer: objects listed, and documents read to judge them by.
MAX_OBJECTS = 5000
MAX_SUBJECTS = 500


class SweepMarks(Document):
    """Where the next sweep goes on: with which customer it begins ("" is the first), and at which object
    in the inboxes that hold more than a share.
    """

    customer: str = ""
    marks: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Share:
    """Versions and serving.yaml files (with their generations); `mark` is "" when all was seen."""

    rows: tuple[UploadRow, ...]
    wishes: Mapping[ModelName, int]
    mark: str


@dataclass(slots=True)
class _Seen:
    rows: dict[VersionName, UploadRow] = field(default_factory=dict)
    wishes: dict[ModelName, int] = field(default_factory=dict)

    def take(self, name: str, generation: int) -> bool:
        """Add an object; False when it would be one subject too many."""
        subject = names.parse_upload(name)
        if not isinstance(subject, VersionName | ModelName):
            return True
        if subject not in self.rows and len(self.rows) + len(self.wishes) >= MAX_SUBJECTS:
            return False
        if isinstance(subject, ModelName):
            self.wishes[subject] = generation
            return True
        known = self.rows.get(subject, UploadRow(subject, 0, complete=False))
        complete = known.complete or name == subject.folder + SAVED_MODEL
        self.rows[subject] = UploadRow(subject, max(known.newest, generation), complete)
        return True


def share(listed: Sequence[tuple[str, int]]) -> Share:
    """Return what a sweep looks at, of (name, generation) in order of names, at most MAX_OBJECTS and one.

    A version that the bound cuts in two is left to the next sweep, which begins with it; if it is all
    there is, it counts as complete, for its admission to refuse.
    """
    seen, mark = _Seen(), ""
    for name, generation in listed[:MAX_OBJECTS]:
        if not seen.take(name, generation):
            mark = name
            break
    if not mark and len(listed) > MAX_OBJECTS:
        mark = _cut(seen, first=listed[0][0], following=listed[MAX_OBJECTS][0])
    return Share(tuple(seen.rows.values()), seen.wishes, mark)


def noted(known: SweepMarks, seen: Mapping[str, str], *, going_on: str) -> SweepMarks:
    """Return what a sweep notes: marks of who was not its turn stay, of who has no inbox any more go.

    `seen` maps each customer that was looked at to a mark or ""; `going_on` is the first that was not.
    """
    waiting = {
        name: mark
        for name, mark in known.marks.items()
        if name < known.customer or (going_on and name >= going_on)
    }
    over = {name: mark for name, mark in seen.items() if mark}
    return SweepMarks(customer=going_on, marks=waiting | over)


def _cut(seen: _Seen, *, first: str, following: str) -> str:
    """Say where the next sweep goes on when the objects were too many."""
    version = names.parse_upload(following)
    if not isinstance(version, VersionName) or version not in seen.rows:
        return following
    if first < version.folder:
        del seen.rows[version]
        return version.folder
    seen.rows[version] = UploadRow(version, seen.rows[version].newest, complete=True)
    return version.folder[:-1] + chr(ord("/") + 1)
