"""The real tofu, which tells the stand-in of Google what it applied: the cloud would know by itself.

REAL_TOFU is the program, GOOGLE_STAND_IN the stand-in. With a file FAKE_CLOUD/slow-apply it makes one
resource after another, so that a test can interrupt it half-way.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import requests


def main():
    words = sys.argv[1:]
    folder, verbs = words[0], [one for one in words if not one.startswith("-")]
    log = Path(os.environ["FAKE_CLOUD"]) / "calls.log"
    with log.open("a") as file:
        file.write(f"tofu {verbs[0]}\n")
    slow = log.with_name("slow-apply")
    if verbs[0] == "apply" and slow.exists():
        slow.unlink()
        words.insert(2, "-parallelism=1")
        signal.signal(signal.SIGINT, lambda *_: None)  # for tofu: it gets the interrupt too
    status = subprocess.run([os.environ["REAL_TOFU"], *words], check=False).returncode
    if verbs[0] == "apply":
        shown = subprocess.run(
            [os.environ["REAL_TOFU"], folder, "show", "-json"], capture_output=True, check=True
        )
        url = f"{os.environ['GOOGLE_STAND_IN']}/applied"
        requests.post(url, json=json.loads(shown.stdout), timeout=60).raise_for_status()
    return status


if __name__ == "__main__":
    sys.exit(main())
