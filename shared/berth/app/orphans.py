"""Orphans: which versions of the models bucket no document speaks of. Writes nothing."""

from collections import defaultdict
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

import structlog

from berth.app import control
from berth.domain import documents, garbage
from berth.domain.documents import Admission, Model
from berth.domain.errors import Damaged
from berth.domain.names import ModelName, VersionName
from berth.ports import Clock, ObjectStore

# Admissions read in one sweep: what is left over is the next one's.
MAX_LOOKS = 1000

log = structlog.get_logger()


@dataclass(slots=True)
class Nobodys:
    """Of the versions that no listing shows: those that are nobody's, those whose promotion died, and
    those that are not known now, after so many looks.
    """

    orphans: set[VersionName] = field(default_factory=set)
    died: list[VersionName] = field(default_factory=list)
    unknown: set[VersionName] = field(default_factory=set)
    looks: int = 0


@dataclass(frozen=True, slots=True)
class Orphans:
    """Asks the model documents, and the admissions of what they do not have."""

    control: ObjectStore
    clock: Clock

    def sort(self, versions: AbstractSet[VersionName], young: AbstractSet[VersionName]) -> Nobodys:
        """Sort versions that no listing shows; the young ones are looked at again when they are old."""
        by_model: dict[ModelName, set[VersionName]] = defaultdict(set)
        for version in versions:
            by_model[version.model].add(version)
        found = Nobodys()
        for name, some in sorted(by_model.items()):
            try:
                self._sort_out(name, some, young, found)
            except Damaged as error:
                log.error("damaged document", model=name.servable, reason=str(error))
                found.unknown |= some
        return found

    def _sort_out(
        self,
        name: ModelName,
        some: AbstractSet[VersionName],
        young: AbstractSet[VersionName],
        found: Nobodys,
    ) -> None:
        """A version is in its model's document before its admission ends: so that is read last."""
        left = some - self.documented(name)
        looks = sorted(left - young)[: max(0, MAX_LOOKS - found.looks)]
        found.looks += len(looks)
        orphans = {*(left & young)}
        for version in looks:
            path = documents.admission_name(version)
            known = control.read(self.control, path, Admission).document
            if garbage.died(known, self.clock.now()):
                found.died.append(version)
            elif not garbage.under_way(known, self.clock.now()):
                orphans.add(version)
        found.unknown |= left - young - set(looks)
        if looks:
            orphans -= self.documented(name)
        found.orphans |= orphans

    def documented(self, name: ModelName) -> set[VersionName]:
        """Return the versions that a model's document has."""
        model = control.read(self.control, documents.model_name(name), Model).document
        return {VersionName(name, number) for number in model.versions} if model else set()
