"""What is asked of the probe and what it answers: plain JSON in both directions.

Also the two capabilities that the probe itself needs, as protocols.
"""

from pathlib import Path
from typing import Literal, Protocol

import pydantic

from berth.domain.manifest import Limits, Manifest, ManifestFile

_FROZEN = pydantic.ConfigDict(frozen=True)
_MAX_REASON = 2000


class ProbeRequest(pydantic.BaseModel):
    """One version to judge. `prefix` ends in a slash; the token, if any, reads that alone."""

    model_config = _FROZEN

    bucket: str
    prefix: str
    manifest: Manifest
    limits: Limits = Limits()
    warmup: bool = False
    access_token: str | None = pydantic.Field(default=None, repr=False)


class Measurements(pydantic.BaseModel):
    """What a load and a run cost. Bytes are growth over the bare loader, seconds wall time."""

    model_config = _FROZEN

    load_seconds: float
    run_seconds: float
    resident_bytes: int
    peak_bytes: int
    child_seconds: float


class TensorSummary(pydantic.BaseModel):
    """One tensor. `dtype` is TensorFlow's number; -1: unknown dimension, no shape: unknown rank."""

    model_config = _FROZEN

    dtype: int
    shape: tuple[int, ...] | None


class SignatureSummary(pydantic.BaseModel):
    """One servable signature."""

    model_config = _FROZEN

    method: str
    inputs: dict[str, TensorSummary]
    outputs: dict[str, TensorSummary]


class ProbeReport(pydantic.BaseModel):
    """The judgement. INCOMPLETE lists what is missing, not final; `reason` is for the customer.

    `files` are the names to promote (saved_model.pb among them), `digest` covers exactly those.
    """

    model_config = _FROZEN

    state: Literal["ACCEPTED", "INCOMPLETE", "REJECTED"]
    reason: str
    missing: tuple[str, ...] = ()
    digest: str = ""
    files: tuple[str, ...] = ()
    signatures: dict[str, SignatureSummary] = {}
    measurements: Measurements | None = None
    tensorflow_version: str = ""

    @pydantic.field_validator("reason", mode="after")
    @classmethod
    def _bounded(cls, reason: str) -> str:
        return reason[:_MAX_REASON]


class LoadResult(pydantic.BaseModel):
    """What the child found: `problem` is empty when all is well, else a text for the customer."""

    model_config = _FROZEN

    problem: str = ""
    measurements: Measurements | None = None
    tensorflow_version: str = ""


class VersionFiles(Protocol):
    """One version's uploaded files, readable and nothing else."""

    def fetch(self, request: ProbeRequest, file: ManifestFile, into: Path) -> None:
        """Write the pinned generation of one file to `into`, at most `file.size` bytes.

        Raises NotFound when that generation is gone, Unavailable when the service does not answer.
        """
        ...


class Loader(Protocol):
    """Loads and runs a SavedModel where it can do no harm."""

    def load(self, folder: Path, limits: Limits) -> LoadResult:
        """Load and run the model in `folder` once. Raises Unavailable if that is not safe."""
        ...
