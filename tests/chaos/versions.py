"""Versions that say whose they are: each answers with a number of its own, whatever it is asked."""

import fcntl
import hashlib
import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

_SCRIPT = r"""
import sys
from pathlib import Path
import tensorflow as tf

class Told(tf.Module):
    def __init__(self, code):
        self.code = tf.Variable(float(code))
    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    def __call__(self, x):
        return {"y": x * 0.0 + self.code}

for customer in range(int(sys.argv[2])):
    for version in range(1, int(sys.argv[3]) + 1):
        told = Told(100 * customer + version)
        folder = Path(sys.argv[1]) / str(customer) / str(version)
        tf.saved_model.save(told, str(folder), signatures=told.__call__)
"""
CUSTOMERS, VERSIONS = 10, 3


def code(customer: int, version: int) -> float:
    """What version `version` of customer number `customer` answers."""
    return 100.0 * customer + version


def folder() -> Path:
    """The folder <customer>/<version>/; exported once for each version of TensorFlow."""
    told = f"{_SCRIPT}{CUSTOMERS}{VERSIONS}{importlib.metadata.version('tensorflow-cpu')}"
    cache = Path(os.environ.get("BERTH_CACHE") or Path.home() / ".cache" / "berth")
    found = cache / f"chaos-versions-{hashlib.sha256(told.encode()).hexdigest()[:12]}"
    cache.mkdir(parents=True, exist_ok=True)
    with found.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (found / "complete").exists():
            quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
            command = [sys.executable, "-c", _SCRIPT, str(found), str(CUSTOMERS), str(VERSIONS)]
            subprocess.run(command, env=quiet, check=True, capture_output=True)
            (found / "complete").touch()
    return found
