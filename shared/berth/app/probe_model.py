"""Judges one uploaded version: small files first, then the rest, then a load in a child."""

import base64
import tempfile
from pathlib import Path
from typing import Any

import google_crc32c
import pydantic

from berth.domain import manifest as manifests
from berth.domain import op_policy, savedmodel, tensor_bundle
from berth.domain.errors import InvalidEvent, InvalidModel, NotFound, Unavailable
from berth.domain.manifest import INDEX, SAVED_MODEL, Manifest, ManifestFile
from berth.domain.probing import (
    Loader,
    ProbeReport,
    ProbeRequest,
    SignatureSummary,
    VersionFiles,
)
from berth.domain.tensor_bundle import Bundle

_CHUNK = 1 << 20
_SHOWN = 3


class ProbeModel:
    """The whole of `probe_model`; a model's faults are reports, never exceptions."""

    def __init__(self, files: VersionFiles, loader: Loader) -> None:
        """Take what reads a version and what loads it."""
        self._files = files
        self._loader = loader

    def ask(self, body: bytes) -> dict[str, Any]:
        """Judge what an HTTP body asks for; return the report as plain values. Raises InvalidEvent."""
        try:
            request = ProbeRequest.model_validate_json(body)
        except pydantic.ValidationError as error:
            raise InvalidEvent(f"not a probe request: {error.error_count()} problems") from error
        return self.probe(request).model_dump(mode="json")

    def probe(self, request: ProbeRequest) -> ProbeReport:
        """Return the judgement; the private copy goes. Raises Unavailable if there is none."""
        with _private() as private:
            try:
                return self._judge(request, Path(private))
            except InvalidModel as error:
                return ProbeReport(state="REJECTED", reason=str(error))
            except NotFound as error:
                reason = f"a file changed or vanished while it was read: {error}"
                return ProbeReport(state="INCOMPLETE", reason=reason)

    def _judge(self, request: ProbeRequest, folder: Path) -> ProbeReport:
        manifests.check(request.manifest, request.limits)
        there = request.manifest.by_name()
        if SAVED_MODEL not in there:
            return _incomplete((SAVED_MODEL,))
        limits = request.limits
        data = self._read(request, there[SAVED_MODEL], folder, limits.max_graph_bytes)
        meta = savedmodel.parse(data, max_bytes=limits.max_graph_bytes)
        signatures = savedmodel.signatures(meta)
        savedmodel.check_constants(meta, max_bytes=limits.memory_mib << 20)
        _refuse(op_policy.judge(meta))
        bundle = None
        if INDEX in there:
            index = self._read(request, there[INDEX], folder, limits.max_index_bytes)
            bundle = tensor_bundle.parse(index)
        needs = savedmodel.needs(meta)
        missing = savedmodel.missing(needs, bundle, request.manifest)
        if missing:
            return _incomplete(missing)
        kept = _kept(request, needs.assets, bundle)
        for file in kept.files:
            if file.name not in (SAVED_MODEL, INDEX):
                self._fetch(request, file, folder)
        return self._load(request, folder, kept, signatures)

    def _load(
        self,
        request: ProbeRequest,
        folder: Path,
        kept: Manifest,
        signatures: dict[str, SignatureSummary],
    ) -> ProbeReport:
        result = self._loader.load(folder, request.limits)
        return ProbeReport(
            state="REJECTED" if result.problem else "ACCEPTED",
            reason=result.problem or "the model loads and runs",
            digest=manifests.digest(kept),
            files=tuple(file.name for file in kept.files),
            signatures=signatures,
            measurements=result.measurements,
            tensorflow_version=result.tensorflow_version,
        )

    def _read(self, request: ProbeRequest, file: ManifestFile, folder: Path, bound: int) -> bytes:
        if file.size > bound:
            raise InvalidModel(f"{file.name} has {file.size} bytes, at most {bound} are read")
        self._fetch(request, file, folder)
        return (folder / file.name).read_bytes()

    def _fetch(self, request: ProbeRequest, file: ManifestFile, folder: Path) -> None:
        into = folder / file.name
        into.parent.mkdir(parents=True, exist_ok=True)
        self._files.fetch(request, file, into)
        if into.stat().st_size != file.size or _crc32c(into) != file.crc32c:
            raise Unavailable(f"{file.name} came with other bytes than its checksum says")


def _private() -> tempfile.TemporaryDirectory[str]:
    """A folder that only this user may enter. Raises Unavailable where none can be made."""
    try:
        return tempfile.TemporaryDirectory(prefix="berth-probe-")
    except OSError as error:
        raise Unavailable(f"no private folder can be made here: {error}") from error


def _refuse(violations: tuple[op_policy.Violation, ...]) -> None:
    if not violations:
        return
    shown = "; ".join(violation.text() for violation in violations[:_SHOWN])
    more = len(violations) - _SHOWN
    raise InvalidModel(shown + (f"; and {more} more" if more > 0 else ""))


def _incomplete(missing: tuple[str, ...]) -> ProbeReport:
    shown = ", ".join(missing[:10]) + (
        f" and {len(missing) - 10} more" if len(missing) > 10 else ""
    )
    reason = f"not complete yet, missing or too short: {shown}"
    return ProbeReport(state="INCOMPLETE", reason=reason, missing=missing[:100])


def _kept(request: ProbeRequest, assets: tuple[str, ...], bundle: Bundle | None) -> Manifest:
    """What is promoted: of the data shards only those that the index names."""
    promoted = manifests.promoted(request.manifest, warmup=request.warmup, assets=assets)
    shards = bundle.files() if bundle else {}
    return Manifest(
        files=tuple(
            file
            for file in promoted.files
            if not file.name.startswith("variables/variables.data-") or file.name in shards
        )
    )


def _crc32c(path: Path) -> str:
    checksum = google_crc32c.Checksum()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            checksum.update(chunk)
    return base64.b64encode(checksum.digest()).decode()
