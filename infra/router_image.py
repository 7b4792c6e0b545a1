"""Names and gathers the routers' image: its Dockerfile, its locked packages and the package berth.

An image is built only where its name is missing, and no name ever stands for two images.
"""

import hashlib
import re
import shutil
from pathlib import Path

from infra import bundle, functions
from infra.image import ImageError

FOLDER = functions.ROOT / "k8s" / "router-image"
NAME = "berth/router"
_FILES = {"Dockerfile": "Dockerfile", "requirements.txt": "requirements.lock"}
_SHIPPED = (".py", ".json", ".lua")
_FROM = re.compile(r"^FROM envoyproxy/envoy:distroless-v(\d+\.\d+\.\d+) AS envoy$", re.MULTILINE)


def release(folder: Path = FOLDER) -> str:
    """Envoy's release that the Dockerfile takes. Raises ImageError."""
    found = _FROM.findall((folder / "Dockerfile").read_text())
    if len(found) != 1:
        raise ImageError(f"{folder}/Dockerfile: needs one line FROM envoyproxy/envoy:distroless-v…")
    return str(found[0])


def members(folder: Path = FOLDER) -> dict[str, Path]:
    """Every file that the image is built from, by its name there. Raises ImageError."""
    found = {name: folder / source for name, source in _FILES.items()}
    if missing := [str(path) for path in found.values() if not path.is_file()]:
        raise ImageError(f"missing: {', '.join(missing)}")
    for path in bundle.PACKAGE.rglob("*"):
        if path.suffix in _SHIPPED and "__pycache__" not in path.parts:
            found[f"berth/{path.relative_to(bundle.PACKAGE).as_posix()}"] = path
    return found


def tag(folder: Path = FOLDER) -> str:
    """The image's name and tag: Envoy's release, then twelve hex digits over all its files."""
    content = hashlib.sha256()
    for name, path in sorted(members(folder).items()):
        data = path.read_bytes()
        content.update(f"{len(name)}:{name}{len(data)}:".encode() + data)
    return f"{NAME}:{release(folder)}-{content.hexdigest()[:12]}"


def gather(into: Path) -> Path:
    """Copy the files to a folder of their own, for the builder; returns it."""
    shutil.rmtree(into, ignore_errors=True)
    for name, path in members().items():
        (into / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, into / name)
    return into
