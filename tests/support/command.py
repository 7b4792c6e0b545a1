"""The command `berth` as its own process, with nothing of Berth in its environment but what is given."""

import os
import subprocess
import sys

from infra.functions import ROOT


def berth(*words, **environment):
    """Run it to its end."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        (sys.executable, "-m", "berth.cli", *words),
        env=kept | {"PYTHONPATH": str(ROOT / "shared"), "NO_COLOR": "1"} | environment,
        capture_output=True,
        text=True,
        timeout=100,
    )
