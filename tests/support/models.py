"""Real SavedModels for tests, exported once per exporter source and TensorFlow version.

`model("half_plus_two")` is the folder that holds numbered versions, version 1 among them. The files
are shared by all tests: copy before damaging.
"""

import fcntl
import functools
import hashlib
import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

_EXPORTER = Path(__file__).with_name("export_models.py")
NAMES = (
    "half_plus_two",
    "half_plus_three",
    "matmul",
    "echo",
    "add_one_int64",
    "counter",
    "lookup",
    "many_types",
    "two_outputs",
    "slow",
    "digits_cnn",
)


@functools.cache
def root() -> Path:
    """The folder of all test models; exports them in one subprocess if they are not there yet."""
    folder = _cache() / f"test-models-{_fingerprint()}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    if (folder / "complete").exists():
        return folder
    with open(folder.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            _export(folder)
    return folder


def model(name: str) -> Path:
    """Folder of the model's numbered versions."""
    if name not in NAMES:
        raise KeyError(f"no test model {name}; there are {', '.join(NAMES)}")
    return root() / name


def _cache() -> Path:
    return Path(os.environ.get("BERTH_CACHE") or Path.home() / ".cache" / "berth")


def _fingerprint() -> str:
    version = importlib.metadata.version("tensorflow-cpu")
    return hashlib.sha256(_EXPORTER.read_bytes() + version.encode()).hexdigest()[:12]


def _export(folder: Path) -> None:
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": "-1"}
    done = subprocess.run(
        [sys.executable, str(_EXPORTER), str(folder), *NAMES],
        env=quiet,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"exporting the test models failed:\n{done.stderr[-4000:]}")
