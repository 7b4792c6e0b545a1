"""Checks the files that a deployment reads: tables, schedules, grants, manifests, the image's folder."""

from collections.abc import Callable, Iterator

import pydantic
import yaml

from infra import functions, grants, image, manifests, schedules
from infra.functions import TableError
from infra.grants import GrantsError
from infra.image import ImageError
from infra.manifests import ManifestError

_EDIT = "mend the file, and `python -m infra.manifests check` says when it is well"


def problems() -> Iterator[tuple[str, str]]:
    """What is wrong, with file and line where there is one, and what to do.

    Grants and manifests are compared with the table of functions: they wait until that is well.
    """
    table = list(_table(functions.read, "edit functions/functions.yaml"))
    yield from table
    yield from _table(schedules.read, "edit infra/schedules.yaml")
    yield from _table(_image, "python -m infra.image --write")
    if table:
        return
    yield from _table(grants.read, "edit infra/grants.yaml")
    try:
        for one in manifests.check():
            yield str(one), _EDIT
    except ManifestError as error:
        yield f"k8s/: {error}", _EDIT


def _table(read: Callable[[], object], mend: str) -> Iterator[tuple[str, str]]:
    try:
        read()
    except pydantic.ValidationError as error:
        told = (f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        yield f"{mend.removeprefix('edit ')}: {'; '.join(told)}", mend
    except (TableError, GrantsError, ImageError, ValueError) as error:
        yield str(error), mend
    except (OSError, yaml.YAMLError) as error:
        yield f"{mend.removeprefix('edit ')}: {error}", mend


def _image() -> None:
    """The Deployment's tag must be the folder's, or an image is built that no pod asks for."""
    wanted = image.tag()
    text = image.DEPLOYMENT.read_text()
    if f"image: {image.NAME}:" in text and f"image: {wanted}" not in text:
        raise ImageError(f"{image.DEPLOYMENT}: its image is not {wanted}, though k8s/image is")
