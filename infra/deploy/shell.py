"""Runs the command-line tools that a deployment needs."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

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
    given: str = "",
    log: Path | None = None,
    accept: Sequence[int] = (0,),
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; `given` is its standard input, `environment` is added to ours.

    With `log`, everything is appended to that file. Raises CommandFailed for an exit status that is
    not in `accept`, and for a program that is not there.
    """
    with _started(argv, environment, subprocess.PIPE) as process:
        out, error = _to_the_end(process, given)
    if log is not None:
        with log.open("a") as file:
            file.write(f"$ {' '.join(argv)}\n{out}{error}\n")
    if process.returncode not in accept:
        raise CommandFailed(argv, process.returncode, error.strip() or out)
    return subprocess.CompletedProcess(argv, process.returncode, out, error)


def follow(argv: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> None:
    """Run a command that takes long; what it says is in `log` as it says it. Raises CommandFailed."""
    with log.open("a") as file:
        file.write(f"$ {' '.join(argv)}\n")
        file.flush()
        began = log.stat().st_size
        with _started(argv, environment, file) as process:
            _to_the_end(process, "")
    if process.returncode:
        with log.open() as file:
            file.seek(began)
            raise CommandFailed(argv, process.returncode, file.read())


def _started(
    argv: Sequence[str], environment: Mapping[str, str] | None, output: int | IO[str]
) -> "subprocess.Popen[str]":
    try:
        return subprocess.Popen(
            argv,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output if isinstance(output, int) else subprocess.STDOUT,
            text=True,
        )
    except FileNotFoundError as error:
        raise CommandFailed(argv, 127, f"{argv[0]} is not on PATH") from error


def _to_the_end(process: "subprocess.Popen[str]", given: str) -> tuple[str, str]:
    """What it said. An interrupt reached it too: tofu then writes its state and lets its lock go."""
    try:
        out, error = process.communicate(given)
    except KeyboardInterrupt:
        process.wait()
        raise
    return out or "", error or ""


def terraform() -> str | None:
    """The program that reads infra/terraform: `tofu`, or else `terraform`; None without either."""
    return next((name for name in ("tofu", "terraform") if shutil.which(name)), None)


def _short(argv: Sequence[str]) -> str:
    words = [word for word in argv if not word.startswith("-")][:4]
    return " ".join((Path(words[0]).name, *words[1:]))
