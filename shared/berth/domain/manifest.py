"""The files of one uploaded version at pinned generations: what is promoted, and its digest."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

import pydantic

from berth.domain.errors import InvalidModel

SAVED_MODEL = "saved_model.pb"
INDEX = "variables/variables.index"
_FINGERPRINT = "fingerprint.pb"
_VARIABLES = "variables/"
_ASSETS = "assets/"
_EXTRA = "assets.extra/"
_MAX_NAME = 512
_MAX_PART = 255  # of a path, on Linux
_SHARD = re.compile(r"variables/variables\.data-[0-9]{5}-of-[0-9]{5}")


class Limits(pydantic.BaseModel):
    """Bounds on one version. Bytes, MiB, wall-clock seconds; the customer's plan sets them."""

    model_config = pydantic.ConfigDict(frozen=True)

    max_files: int = 1000
    max_file_bytes: int = 2 << 30
    max_bytes: int = 2 << 30
    max_graph_bytes: int = 256 << 20
    max_index_bytes: int = 64 << 20
    memory_mib: int = 2048
    seconds: float = 60.0


class ManifestFile(pydantic.BaseModel):
    """One object; `name` is relative to the version's folder, `crc32c` is base64."""

    model_config = pydantic.ConfigDict(frozen=True)

    name: str
    generation: int
    size: int
    crc32c: str


class Manifest(pydantic.BaseModel):
    """Every file of a version, ordered by name, each name once."""

    model_config = pydantic.ConfigDict(frozen=True)

    files: tuple[ManifestFile, ...]

    @pydantic.field_validator("files", mode="after")
    @classmethod
    def _ordered(cls, files: tuple[ManifestFile, ...]) -> tuple[ManifestFile, ...]:
        ordered = tuple(sorted(files, key=lambda file: file.name))
        names = [file.name for file in ordered]
        if len(set(names)) != len(names):
            raise ValueError("a manifest names a file twice")
        return ordered

    def by_name(self) -> Mapping[str, ManifestFile]:
        """Return the files keyed by name."""
        return {file.name: file for file in self.files}


def promoted(
    manifest: Manifest, *, warmup: bool = False, assets: Iterable[str] | None = None
) -> Manifest:
    """Return what is copied and served; everything else beside it is ignored.

    `assets` are the file names that the model declares; None keeps all of assets/ (before parsing).
    """
    declared = None if assets is None else {_ASSETS + name for name in assets}
    return Manifest(files=tuple(f for f in manifest.files if _kept(f.name, warmup, declared)))


def _kept(name: str, warmup: bool, declared: set[str] | None) -> bool:
    if name in (SAVED_MODEL, _FINGERPRINT, INDEX) or _SHARD.fullmatch(name):
        return True
    if name.endswith("/"):  # a console's "folder": no file
        return False
    if name.startswith(_ASSETS):
        return declared is None or name in declared
    return warmup and name.startswith(_EXTRA)


def digest(manifest: Manifest) -> str:
    """Return the identity of a version's bytes: sha256 over name, size and crc32c of its files.

    Generations are left out, so the same bytes uploaded again are the same version. Give it what
    `promoted` returned. Raises InvalidModel when there are no files.
    """
    if not manifest.files:
        raise InvalidModel("no file of a SavedModel is there")
    lines = (f"{file.name}\n{file.size}\n{file.crc32c}\n" for file in manifest.files)
    return hashlib.sha256("".join(lines).encode(errors="surrogatepass")).hexdigest()


def upload(manifest: Manifest) -> str:
    """Return the identity of one upload: sha256 over names and generations. The same bytes that come
    again are another upload.
    """
    lines = (f"{file.name}\n{file.generation}\n" for file in manifest.files)
    return hashlib.sha256("".join(lines).encode(errors="surrogatepass")).hexdigest()


def check(manifest: Manifest, limits: Limits) -> None:
    """Raise InvalidModel naming every bound that the manifest breaks."""
    problems = [
        f"the file name {f.name[:80]!r} is not allowed"
        for f in manifest.files[:100]
        if not is_name(f.name)
    ]
    if len(manifest.files) > limits.max_files:
        problems.append(f"{len(manifest.files)} files, at most {limits.max_files} are allowed")
    for file in manifest.files:
        if file.size > limits.max_file_bytes:
            problems.append(
                f"{file.name[:80]} has {file.size} bytes, at most {limits.max_file_bytes}"
            )
    total = sum(file.size for file in manifest.files)
    if total > limits.max_bytes:
        problems.append(f"{total} bytes in all, at most {limits.max_bytes} are allowed")
    names = {file.name for file in manifest.files}
    folders = {str(parent) for name in names for parent in PurePosixPath(name).parents}
    problems += [f"{name[:80]!r} is a file and a folder" for name in sorted(names & folders)]
    if any(not is_name(file.name) for file in manifest.files[100:]):
        problems.append("further file names are not allowed")
    if problems:
        raise InvalidModel("; ".join(problems[:10]))


def is_name(name: str) -> bool:
    """Return whether a relative name stays inside its folder and prints as one line."""
    if not name or len(name.encode(errors="replace")) > _MAX_NAME or "\\" in name:
        return False
    if not name.isprintable():
        return False
    parts = name.split("/")
    return all(part not in ("", ".", "..") and len(part.encode()) <= _MAX_PART for part in parts)
