"""What names a Go program that is built here: the compiler and its sources."""

import hashlib
import subprocess
from pathlib import Path


def key(go: str, version: str, sources: Path) -> str:
    """A version and twelve hex digits: of the compiler `go` and of the sources in a folder."""
    found = subprocess.run([go, "env", "GOVERSION", "GOARCH"], capture_output=True, check=True)
    digest = hashlib.sha256(found.stdout)
    for source in sorted(sources.iterdir()):
        if source.suffix in {".go", ".mod", ".sum"}:
            digest.update(source.name.encode() + b"\0" + source.read_bytes())
    return f"{version}-{digest.hexdigest()[:12]}"
