"""Names the serving image by what is in it: k8s/image and the release of TensorFlow Serving it is from.

An image is built only where its name is missing, and no name ever stands for two images.
"""

import argparse
import hashlib
import re
from pathlib import Path

from infra import functions

FOLDER = functions.ROOT / "k8s" / "image"
DEPLOYMENT = functions.ROOT / "k8s" / "shard" / "deployment.yaml"
NAME = "berth/tfserving"
_FROM = re.compile(r"^FROM tensorflow/serving:(\d+\.\d+\.\d+)$", re.MULTILINE)
_REFERENCE = re.compile(rf"(image: )(?:[\w.:-]+/)*{NAME}:\S+")


class ImageError(ValueError):
    """The folder of the image, or the manifest that names it, is not what it must be."""


def release(folder: Path = FOLDER) -> str:
    """The release of TensorFlow Serving that the Dockerfile starts from. Raises ImageError."""
    path = folder / "Dockerfile"
    found = _FROM.findall(path.read_text()) if path.is_file() else []
    if len(found) != 1:
        raise ImageError(f"{path}: needs one line FROM tensorflow/serving:MAJOR.MINOR.PATCH")
    return str(found[0])


def tag(folder: Path = FOLDER) -> str:
    """The image's name and tag: the release, then twelve hex digits over the folder's files."""
    content = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = str(path.relative_to(folder))
        data = path.read_bytes()
        content.update(f"{len(name)}:{name}{len(data)}:".encode() + data)
    return f"{NAME}:{release(folder)}-{content.hexdigest()[:12]}"


def write(deployment: Path = DEPLOYMENT, folder: Path = FOLDER) -> str:
    """Put the tag into the shard's Deployment, all else left as it is; returns it."""
    name = tag(folder)
    text, count = _REFERENCE.subn(rf"\g<1>{name}", deployment.read_text())
    if count != 1:
        raise ImageError(f"{deployment}: needs one line with `image: {NAME}:…`, has {count}")
    deployment.write_text(text)
    return name


def main() -> None:
    """Print the tag; with --write, put it into the shard's Deployment first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"into {DEPLOYMENT.name}")
    print(write() if parser.parse_args().write else tag())


if __name__ == "__main__":
    main()
