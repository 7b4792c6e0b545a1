"""Promotion: copying a judged version into the models bucket, pinned, checked, saved_model.pb last."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from berth.domain.errors import InvalidModel, NotFound
from berth.domain.manifest import SAVED_MODEL, ManifestFile
from berth.domain.names import VersionName
from berth.ports import ObjectStore

PARALLEL_COPIES = 8


@dataclass(frozen=True, slots=True)
class Promotion:
    """Copies from the inbox into the models bucket."""

    uploads_bucket: str
    models: ObjectStore

    def promote(
        self, version: VersionName, files: tuple[ManifestFile, ...], *, resumed: bool
    ) -> None:
        """Copy every file; where an earlier attempt ended early, only what is not there yet.

        Raises InvalidModel when pinned bytes are gone.
        """
        stats = self.models.list(version.folder) if resumed else ()
        there = {stat.name: stat.crc32c for stat in stats}
        missing = [file for file in files if there.get(version.folder + file.name) != file.crc32c]
        first = [file for file in missing if file.name != SAVED_MODEL]
        last = [file for file in missing if file.name == SAVED_MODEL]
        with ThreadPoolExecutor(PARALLEL_COPIES) as pool:
            list(pool.map(lambda file: self._copy(version, file), first))
        for file in last:
            self._copy(version, file)

    def _copy(self, version: VersionName, file: ManifestFile) -> None:
        name = version.folder + file.name
        try:
            copied = self.models.copy_from(
                self.uploads_bucket, name, generation=file.generation, name=name
            )
        except NotFound as error:
            raise InvalidModel(
                f"{file.name} was replaced or deleted while the version was being promoted; "
                "this number is burnt: upload a new version"
            ) from error
        if copied.crc32c != file.crc32c:
            raise InvalidModel(
                f"{file.name} changed while it was being copied; upload a new version"
            )
