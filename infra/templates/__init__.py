"""Starter models: put into the models bucket at deploy, served in place to new customers."""

import base64
import shutil
import tempfile
from pathlib import Path
from typing import Any

import google_crc32c

from berth.adapters.sandbox import SandboxedLoader
from berth.app import control
from berth.domain import documents, manifest
from berth.domain.documents import Footprint, Template
from berth.domain.errors import InvalidModel
from berth.ports import ObjectStore

EXPORTER = Path(__file__).with_name("starter.py")
_LAST = "saved_model.pb"


def install_templates(bucket: Any, folder: Path, *, name: str = "starter") -> list[str]:  # noqa: ANN401 - google-cloud-storage has no types
    """Upload the SavedModel in `folder` to templates/<name>/1/, saved_model.pb last.

    `bucket` is a google-cloud-storage Bucket. Returns the object names written; what is there
    already stays, so that a second deploy changes nothing that serves.
    """
    prefix = f"templates/{name}/1/"
    present = {one.name for one in bucket.list_blobs(prefix=prefix)}
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    files.sort(key=lambda path: path.name == _LAST)
    written = []
    for path in files:
        target = prefix + path.relative_to(folder).as_posix()
        if target not in present:
            bucket.blob(target).upload_from_filename(str(path), if_generation_match=0)
            written.append(target)
    return written


def record_template(store: ObjectStore, folder: Path, *, name: str = "starter") -> Template:
    """Measure the SavedModel in `folder` as the probe would, and keep that in the control bucket.

    `store` is the control bucket. What is kept for the same bytes stays. Raises InvalidModel for a
    template that does not load.
    """
    there = manifest.Manifest(
        files=tuple(
            manifest.ManifestFile(
                name=path.relative_to(folder).as_posix(),
                generation=1,
                size=path.stat().st_size,
                crc32c=base64.b64encode(
                    google_crc32c.Checksum(path.read_bytes()).digest()
                ).decode(),
            )
            for path in folder.rglob("*")
            if path.is_file()
        )
    )
    digest = manifest.digest(manifest.promoted(there))
    known = control.read(store, documents.template_name(name), Template)
    if known.document is not None and known.document.digest == digest:
        return known.document
    with tempfile.TemporaryDirectory(prefix="berth-template-") as private:
        copied = shutil.copytree(folder, Path(private) / "1")
        result = SandboxedLoader().load(copied, manifest.Limits())
    if result.measurements is None:
        raise InvalidModel(f"the template does not load: {result.problem}")
    measured = result.measurements
    footprint = Footprint(
        resident_bytes=measured.resident_bytes,
        peak_bytes=max(measured.peak_bytes, measured.resident_bytes),
        load_seconds=measured.load_seconds,
    )
    template = Template(digest=digest, footprint=footprint)
    control.write(store, documents.template_name(name), template, if_generation=known.generation)
    return template
