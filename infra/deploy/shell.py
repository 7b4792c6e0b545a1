"""Runs the command-line tools that a deployment needs."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

_LAST_LINES = 15


class CommandFailed(RuntimeError):
    """A command ended with an error; the text has its name and the end of what it said.

    `full` is all that it said.
    """

    def __init__(self, argv: Sequence[str], status: int, said: str) -> None:
        """`status` is the exit status, `said` all output worth quoting."""
        lines = [line.rstrip() for line in said.splitlines() if line.strip()]
        self.argv, self.status, self.full = tuple(argv), status, said
        self.said = "\n".join(lines[-_LAST_LINES:])
        super().__init__(f"{_short(argv)} ended with {status}:\n{self.said}")


def run(
    argv: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    given: str | None = None,
    log: Path | None = None,
    accept: Sequence[int] = (0,),
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; `given` is its standard input, `environment` is added to ours.

    With `log`, all output is appended to that file. Raises CommandFailed for an exit
    status that is not in `accept`, and for a program that is not there.
    """
    full = {**os.environ, **(environment or {})}
    try:
        done = subprocess.run(
            argv, input=given or "", env=full, capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise CommandFailed(argv, 127, f"{argv[0]} is not on PATH") from error
    if log is not None:
        with log.open("a") as file:
            file.write(f"$ {' '.join(argv)}\n{done.stdout}{done.stderr}\n")
    if done.returncode not in accept:
        raise CommandFailed(argv, done.returncode, done.stderr.strip() or done.stdout)
    return done


def terraform() -> str | None:
    """The program that reads infra/terraform: `tofu`, or else `terraform`; None without either."""
    return next((name for name in ("tofu", "terraform") if shutil.which(name)), None)


def _short(argv: Sequence[str]) -> str:
    words = [word for word in argv if not word.startswith("-")][:4]
    return " ".join((Path(words[0]).name, *words[1:]))
