"""Builds the local Kubernetes control plane from Go modules, once per version of its sources."""

import os
import shutil
import subprocess
from pathlib import Path

from infra import go_sources

SOURCES = Path(__file__).parent / "kube"
VERSION = "1.34.2"


def build(cache: Path) -> Path:
    """Return the control plane's binary, building it into `cache` if these sources are new.

    Raises RuntimeError, in one line, where Go is missing or the build fails.
    """
    go = shutil.which("go")
    if go is None:
        raise RuntimeError(
            "go is needed to build Kubernetes: install Go 1.24 or newer (https://go.dev/dl)"
        )
    binary = cache / f"berth-kube-{go_sources.key(go, VERSION, SOURCES)}"
    if binary.exists():
        return binary
    cache.mkdir(parents=True, exist_ok=True)
    print(f"building Kubernetes {VERSION} (once per version, about 4 minutes)", flush=True)
    unfinished = binary.with_suffix(f".{os.getpid()}")
    try:
        _compile(go, unfinished)
        unfinished.replace(binary)
    finally:
        unfinished.unlink(missing_ok=True)
    return binary


def _compile(go: str, target: Path) -> None:
    # without these /version answers v0.0.0, and kubectl and clients complain
    package = "k8s.io/component-base/version"
    major, minor, _ = VERSION.split(".")
    stamps = {"gitVersion": f"v{VERSION}", "gitMajor": major, "gitMinor": minor}
    flags = " ".join(["-s -w", *(f"-X {package}.{name}={text}" for name, text in stamps.items())])
    done = subprocess.run(
        [go, "build", "-trimpath", "-ldflags", flags, "-o", str(target), "."],
        cwd=SOURCES,
        env={**os.environ, "GOFLAGS": "-mod=readonly"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise RuntimeError(f"building Kubernetes {VERSION} failed: {last}")
