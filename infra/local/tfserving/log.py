"""Log lines on standard error in TensorFlow's form, filtered by TF_CPP_MIN_LOG_LEVEL."""

import datetime
import os
import sys

_LEAST = int(os.environ.get("TF_CPP_MIN_LOG_LEVEL") or 0)


def info(message: str) -> None:
    """One INFO line."""
    _write(0, "I", message)


def warning(message: str) -> None:
    """One WARNING line."""
    _write(1, "W", message)


def error(message: str) -> None:
    """One ERROR line."""
    _write(2, "E", message)


def say(message: str) -> None:
    """One line that no log level hides: what was asked for and is not implemented."""
    _write(_LEAST, "W", message)


def _write(level: int, letter: str, message: str) -> None:
    if level >= _LEAST:
        now = datetime.datetime.now(datetime.UTC)
        sys.stderr.write(f"{now:%Y-%m-%d %H:%M:%S.%f}: {letter} tfserving {message}\n")
        sys.stderr.flush()
