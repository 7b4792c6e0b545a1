"""`python -m infra.demo`: brings a stack up, tells the story, and exits non-zero unless all is well.

KEEP=1 leaves the stack up.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from infra import functions
from infra.demo import story
from infra.demo.fleet import Fleet, NotAsItShouldBe
from infra.local import setup, stack
from infra.local.layout import Options

CHAPTERS = (
    ("a customer signs up", story.sign_up),
    ("acme uploads a convolutional network trained on handwritten digits", story.first_version),
    ("version 2 takes over under load; a pin rolls back", story.second_version),
    ("five bad uploads", story.bad_uploads),
    ("a pod is killed", story.killed_pod),
    ("restarts fall due", story.rolling_restarts),
    ("an idle tick", story.idle_tick),
)
BEGAN = time.monotonic()


def main() -> int:
    """Run the demo; 0 when everything is as it should be."""
    folder = Path(os.environ.get("BERTH_LOCAL") or functions.ROOT / ".local")
    scratch = Path(tempfile.mkdtemp(prefix="berth-demo-"))
    try:
        return _demo(folder, scratch)
    except KeyboardInterrupt:
        _say("interrupted")
        return 130
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _demo(folder: Path, scratch: Path) -> int:
    _say("1. set-up: the local stack, and two versions of a digit classifier to train")
    with story.train(scratch) as training:
        try:
            return _told(folder, scratch, training)
        finally:
            training.kill()  # it has ended by itself unless something else went wrong


def _told(folder: Path, scratch: Path, training: "subprocess.Popen[bytes]") -> int:
    keep = os.environ.get("KEEP") == "1"
    try:
        options = Options(owner=None if keep else os.getpid())
        running = stack.start(folder, options, say=lambda text: _say(f"    {text}"))
    except (stack.NotStarted, setup.Missing, RuntimeError) as error:
        _say(str(error))
        return 1
    try:
        return _story(running, scratch, training)
    finally:
        if keep:
            _say(f"the stack stays up: source {running.folder.environment}; make down stops it")
        else:
            running.stop()


def _story(running: stack.Stack, scratch: Path, training: "subprocess.Popen[bytes]") -> int:
    os.environ.update(running.environment)
    if training.wait(300):
        _say("training failed")
        return 1
    told = story.Story(
        Fleet(running.environment), scratch, scratch / "made", _say, partial(_passes, running)
    )
    told.row(
        "the stack is up, the classifier trained",
        f"{len(running.parts)} parts",
        time.monotonic() - BEGAN,
    )
    failed = _chapters(told)
    _table(told, failed)
    return 1 if failed else 0


def _passes(running: stack.Stack, shard: str) -> int:
    """Count a shard's ended passes in the function's log."""
    entries = map(json.loads, running.log("reconcile_shard").read_text().splitlines())
    return sum(e["message"] == "pass" and e.get("shard") == shard for e in entries)


def _chapters(told: story.Story) -> str:
    for number, (title, chapter) in enumerate(CHAPTERS, start=2):
        _say(f"{number}. {title}")
        try:
            chapter(told)
        except NotAsItShouldBe as error:
            _say(f"NOT AS IT SHOULD BE: {error}")
            return title
    return ""


def _table(told: story.Story, failed: str) -> None:
    table = Table("what", "result", "took", title="make demo")
    for row in told.rows:
        table.add_row(*row)
    Console(width=140).print(table)
    total = time.monotonic() - BEGAN
    _say(f"FAILED in: {failed}" if failed else f"all as it should be, in {total:.0f} s")


def _say(text: str) -> None:
    print(f"{time.monotonic() - BEGAN:7.2f}  {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
