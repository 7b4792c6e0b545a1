"""Stages a function's bundle: main.py, the package berth and its locked requirements at the root.

The lock is shipped as requirements.txt, which Google's buildpack gives to pip; its hashes make pip
refuse any file but those that were tested. The bytes are reproducible and named by their digest:
nothing unchanged is deployed again.
"""

import argparse
import hashlib
import io
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from infra import functions, manifests
from infra.functions import Function

PACKAGE = functions.ROOT / "shared" / "berth"
# What lies at the bundle's root: the function's file of that content.
_ROOT = {"main.py": "main.py", "requirements.txt": "requirements.lock"}
_SHIPPED = (".py", ".json")
_EPOCH = (1980, 1, 1, 0, 0, 0)


class BundleError(ValueError):
    """A file that the bundle needs is missing, or would break what it is deployed to."""


def archive(function: Function) -> bytes:
    """The function's bundle as a zip; the same sources give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, path in sorted(_members(function)):
            info = zipfile.ZipInfo(name, _EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            bundle.writestr(info, path.read_bytes())
    return buffer.getvalue()


def digest(content: bytes) -> str:
    """The twelve hex digits that name a bundle."""
    return hashlib.sha256(content).hexdigest()[:12]


def write(function: Function, into: Path) -> Path:
    """The bundle as <into>/<name>-<digest>.zip; an existing one is left as it is."""
    content = archive(function)
    path = into / f"{function.name}-{digest(content)}.zip"
    if not path.exists():
        into.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}.part")
        partial.write_bytes(content)
        partial.replace(path)
    return path


def stage(function: Function, into: Path) -> Path:
    """The bundle unpacked to <into>/<name>-<digest>; an existing folder is left as it is."""
    content = archive(function)
    folder = into / f"{function.name}-{digest(content)}"
    if folder.exists():
        return folder
    into.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{function.name}-", dir=into))
    partial.chmod(0o755)
    with zipfile.ZipFile(io.BytesIO(content)) as bundle:
        bundle.extractall(partial)
    try:
        partial.rename(folder)
    except OSError:
        shutil.rmtree(partial)
        if not folder.exists():
            raise
    return folder


def _members(function: Function) -> Iterator[tuple[str, Path]]:
    for name, source in _ROOT.items():
        path = function.source / source
        if not path.is_file():
            raise BundleError(f"{function.name}: {path} is missing")
        yield name, path
    for path in PACKAGE.rglob("*"):
        if path.suffix in _SHIPPED and "__pycache__" not in path.parts:
            yield f"berth/{path.relative_to(PACKAGE)}", path
    project = function.source.parents[1]
    for target, source in function.include.items():
        files = [path for path in (project / source).rglob("*") if path.is_file()]
        if not files:
            raise BundleError(f"{function.name}: include.{target}: nothing in {project / source}")
        if target == function.environment.get("BERTH_SHARD_MANIFESTS"):
            _check(function, project / source)
        yield from ((f"{target}/{path.relative_to(project / source)}", path) for path in files)


def _check(function: Function, folder: Path) -> None:
    """Shard manifests reach the cluster from inside a bundle: broken ones stop here."""
    try:
        manifests.require_shard(folder)
    except manifests.ManifestError as error:
        raise BundleError(f"{function.name}:\n{error}") from error


def main() -> None:
    """Write the bundles of the functions named, or of all, and print their paths."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="FUNCTION")
    parser.add_argument("--into", type=Path, default=functions.ROOT / "build" / "bundles")
    options = parser.parse_args()
    table = functions.read()
    if unknown := set(options.names) - set(table):
        parser.error(f"no such function: {', '.join(sorted(unknown))}")
    for name in options.names or table:
        print(write(table[name], options.into))


if __name__ == "__main__":
    main()
