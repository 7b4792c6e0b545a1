"""Writes a bill of materials (CycloneDX JSON) for every function and for the developer's environment.

Each is read from an environment that holds just what the lock names. The same lock gives the same bytes.
"""

import argparse
import subprocess
import tempfile
from pathlib import Path

from infra.dependencies import environment, locks

LOCK = locks.TOOLS / "cyclonedx.lock"
DEVELOPMENT = "development"
_OPTIONS = ("--output-reproducible", "--output-format", "JSON", "--spec-version", "1.6")
_MAIN = '[project]\nname = "berth-{name}"\nversion = "{digest}"\n'


def write(into: Path) -> list[Path]:
    """Write all bills as <into>/<name>.cdx.json. Raises environment.NotInstalled."""
    into.mkdir(parents=True, exist_ok=True)
    wanted = {
        name: (lock, environment.python("bundle", lock))
        for name, lock in locks.of_functions().items()
    }
    project = environment.python("venv", locks.PROJECT, compiled=True)
    wanted[DEVELOPMENT] = (locks.PROJECT, project)
    return [_write(name, lock, python, into) for name, (lock, python) in wanted.items()]


def _write(name: str, lock: Path, python: Path, into: Path) -> Path:
    path = into / f"{name}.cdx.json"
    tool = environment.python("cyclonedx", LOCK)
    with tempfile.TemporaryDirectory() as folder:
        # The bill is of this: its version is the digest of the lock, which names the environment too.
        main = Path(folder, "pyproject.toml")
        digest = environment.folder("", lock).name.lstrip("-")
        main.write_text(_MAIN.format(name=name.replace("_", "-"), digest=digest))
        # What the tool writes is checked by our tests; its own check takes half a minute a file.
        given = ("--no-validate", "--pyproject", str(main), "--output-file", str(path), str(python))
        command = (str(tool), "-m", "cyclonedx_py", "environment", *_OPTIONS, *given)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise environment.NotInstalled(f"cyclonedx-py failed for {name}: {done.stderr[-2000:]}")
    return path


def main() -> None:
    """Write all bills and print their paths."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=Path, default=environment.ROOT / "build" / "sbom")
    for path in write(parser.parse_args().into):
        print(path)


if __name__ == "__main__":
    main()
