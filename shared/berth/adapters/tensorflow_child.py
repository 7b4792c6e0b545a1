"""The program of the confined child: load one model, run it once, write what it cost as JSON lines.

Started by sandbox.py as `python -I -S tensorflow_child.py ROOT`, with a JSON order on stdin and the
result's descriptor in it. Nothing untrusted is read before the filter is in place.
"""

import contextlib
import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

# Virtual memory that is no model's: stacks and arenas of threads started while loading.
_SLACK = 256 << 20
# LC_CTYPE is Python's own, where the environment names no locale.
_ENVIRONMENT = {"TF_CPP_MIN_LOG_LEVEL", "LC_CTYPE"}


def main() -> None:
    """Follow one order; what TensorFlow reports is a line, anything else an exit code."""
    sys.path.insert(0, sys.argv[1])
    from berth.adapters import seccomp, tensorflow

    order = json.loads(sys.stdin.readline())
    try:
        alone(order)
        library = tensorflow.Library(Path(order["library"]))
        library.warm()
        limits(order)
        before = memory(reset=True)
        seccomp.confine()
        seccomp.check()
    except seccomp.Missing as missing:
        say(order, stage="unconfined", message=str(missing))
        return
    say(order, stage="ready", version=library.version(), anonymous=before["RssAnon"])
    try:
        judge(order, library, before)
    except tensorflow.Failed as failed:
        say(order, stage="failed", code=failed.code, message=failed.message)


def judge(order: dict[str, Any], library: Any, before: dict[str, int]) -> None:  # noqa: ANN401
    """Load, run, measure."""
    from berth.adapters import tensorflow

    start = time.monotonic()
    model = library.load(order["folder"])
    loaded = time.monotonic()
    say(order, stage="loaded", seconds=loaded - start)
    code, message = 0, ""
    inputs = [tensorflow.Input(i["name"], i["dtype"], i["shape"]) for i in order["inputs"]]
    try:
        if order["outputs"]:
            model.run(inputs, order["outputs"])
    except tensorflow.NotRun as reason:
        message = str(reason)
    except tensorflow.Failed as failed:
        code, message = failed.code, failed.message
    seconds = time.monotonic() - loaded
    trim()
    after = memory()
    resident = max(0, after["RssAnon"] - before["RssAnon"])
    # The high-water mark counts pages of the libraries' files too: they are no model's.
    files = after["RssFile"] - before["RssFile"]
    peak = max(resident, after["VmHWM"] - before["VmRSS"] - max(0, files))
    cost = {"resident": resident, "peak": peak}
    say(order, stage="ran", seconds=seconds, code=code, message=message, **cost)


def alone(order: dict[str, Any]) -> None:
    """Raise Missing where this process was given more than it is to have: variables, open files."""
    from berth.adapters import seccomp

    given = set(os.environ) - _ENVIRONMENT  # noqa: TID251 - that there is none
    if given:
        raise seccomp.Missing(f"the environment is not empty: {sorted(given)[:5]}")
    with os.scandir("/proc/self/fd") as entries:
        numbers = {int(entry.name) for entry in entries}
    extra = {number for number in numbers - {0, 1, 2, order["result"]} if _is_open(number)}
    if extra:
        raise seccomp.Missing(f"descriptors of others are open: {sorted(extra)[:5]}")


def _is_open(number: int) -> bool:
    """Whether it still is: the listing's own is closed by then."""
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def limits(order: dict[str, Any]) -> None:
    """Bound what the kernel can. NPROC is left out: it counts per user; the filter is stricter.

    Raises Missing where a bound cannot be set, or was not kept.
    """
    from berth.adapters import seccomp

    data = memory()["VmData"] + (order["memory_mib"] << 20) + _SLACK
    cpu = int(order["seconds"] * (os.cpu_count() or 1)) + 5
    for kind, bound in (
        (resource.RLIMIT_DATA, data),
        (resource.RLIMIT_CPU, cpu),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 256),
        (resource.RLIMIT_CORE, 0),
    ):
        try:
            resource.setrlimit(kind, (bound, bound))
        except (OSError, ValueError) as error:
            raise seccomp.Missing(f"limit {kind} cannot be set: {error}") from error
        if resource.getrlimit(kind) != (bound, bound):
            raise seccomp.Missing(f"limit {kind} is not kept")


def memory(*, reset: bool = False) -> dict[str, int]:
    """Return this process's memory in bytes by the kernel's names; `reset` restarts VmHWM."""
    if reset:
        trim()
        # Where it is not permitted, the peak is measured from the process's start: too high, never too low.
        with contextlib.suppress(OSError), open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    with open("/proc/self/status") as file:
        rows = (line.split() for line in file)
        return {row[0].rstrip(":"): int(row[1]) << 10 for row in rows if row[-1] == "kB"}


def trim() -> None:
    """Give freed memory back to the kernel, so that it is not counted as the model's."""
    import ctypes

    ctypes.CDLL(None).malloc_trim(0)


def say(order: dict[str, Any], **line: Any) -> None:  # noqa: ANN401
    """Write one line of the result."""
    os.write(order["result"], (json.dumps(line) + "\n").encode())


if __name__ == "__main__":
    main()
    os._exit(0)  # nothing is left to say: TensorFlow's destructors would only cost time
