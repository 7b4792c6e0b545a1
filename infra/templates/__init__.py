"""Starter models: put into the models bucket at deploy, served in place to new customers."""

from pathlib import Path
from typing import Any

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
