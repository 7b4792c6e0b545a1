"""Loads a SavedModel in a confined child process: the only place where untrusted code runs.

The child has an empty environment, no sockets, no other processes, nothing it may write, bounded
memory and time. Where that cannot be had, nothing is loaded.
"""

import importlib.util
import json
import os
import selectors
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import berth
from berth.domain import savedmodel
from berth.domain.errors import Unavailable
from berth.domain.manifest import SAVED_MODEL, Limits
from berth.domain.probing import LoadResult, Measurements
from berth.protos import tensorflow_pb2 as tf

_RESULT_BYTES = 64 << 10
_STDERR_BYTES = 8 << 10
# Of a child's result: it says five things at most.
_MAX_STAGES = 8
_POLL_SECONDS = 0.02
_START_SECONDS = 30.0
_RESOURCE_EXHAUSTED, _FAILED_PRECONDITION = 8, 9
_UNSUITED = {0, 3, 11}
# TensorFlow's allocator waits ten seconds for memory that never comes, then says so.
_ALLOCATOR = b"ran out of memory trying to allocate"
_OUT_OF_MEMORY = (b"bad_alloc", b"length_error", b"out of memory", b"OOM when allocating")


@dataclass(slots=True)
class _Run:
    """What came out of one child."""

    lines: bytes = b""
    stderr: bytes = b""
    stopped: str = ""
    exit: int = 0
    seconds: float = 0.0
    stages: dict[str, dict[str, Any]] = field(default_factory=dict)


class SandboxedLoader:
    """Port `Loader`: one fresh child for each model."""

    def __init__(self) -> None:
        """Find TensorFlow's libraries without importing it. Raises Unavailable."""
        found = importlib.util.find_spec("tensorflow")
        if found is None or not found.submodule_search_locations:
            raise Unavailable("TensorFlow is not installed here")
        self._library = found.submodule_search_locations[0]

    def load(self, folder: Path, limits: Limits) -> LoadResult:
        """Load the version in `folder` and run one signature once, with zeros.

        A run that fails because zeros do not suit the model (INVALID_ARGUMENT, OUT_OF_RANGE) proves
        enough; any other failure of the run is the model's, FAILED_PRECONDITION for variables
        that were never restored above all. Raises InvalidModel, Unavailable.
        """
        _private(folder)
        order = self._order(folder, limits)
        result, child_end = os.pipe()
        try:
            child = self._start(order, child_end, folder)
        finally:
            os.close(child_end)
        try:
            run = _watch(child, result, limits)
        finally:
            _end(child)
            os.close(result)
        return _judge(run, limits)

    def _order(self, folder: Path, limits: Limits) -> dict[str, Any]:
        data = (folder / SAVED_MODEL).read_bytes()
        meta = savedmodel.parse(data, max_bytes=limits.max_graph_bytes)
        return {
            "library": self._library,
            "folder": str(folder),
            "memory_mib": limits.memory_mib,
            "seconds": limits.seconds,
            **_call(meta),
        }

    def _start(
        self, order: Mapping[str, Any], result: int, folder: Path
    ) -> subprocess.Popen[bytes]:
        program = Path(__file__).with_name("tensorflow_child.py")
        root = Path(berth.__file__).parents[1]
        try:
            child = subprocess.Popen(
                [sys.executable, "-I", "-S", "-B", str(program), str(root)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env={"TF_CPP_MIN_LOG_LEVEL": "1"},
                cwd=folder,
                pass_fds=[result],
                start_new_session=True,
            )
        except OSError as error:
            raise Unavailable(f"the loader did not start: {error}") from error
        assert child.stdin is not None
        try:
            child.stdin.write(json.dumps({**order, "result": result}).encode() + b"\n")
            child.stdin.close()
        except BrokenPipeError as error:
            _end(child)
            raise Unavailable("the loader ended before it began") from error
        return child


def _private(folder: Path) -> None:
    """Raise Unavailable unless only this user can get at the folder: nobody swaps what was judged."""
    try:
        way = [path.lstat() for path in (folder, *folder.absolute().parents)]
    except OSError as error:
        raise Unavailable(f"the version's folder cannot be read: {error}") from error
    closed = (s.st_uid == os.geteuid() and not s.st_mode & 0o077 for s in way)
    if not stat.S_ISDIR(way[0].st_mode) or not any(closed):
        raise Unavailable("cannot confine a child here: the version's folder is not private")


def _call(meta: tf.MetaGraphDef) -> dict[str, Any]:
    """The signature to run: serving_default or the first; none if an input is no plain tensor."""
    names = sorted(name for name in meta.signature_def if not name.startswith("__"))
    name = "serving_default" if "serving_default" in names else names[0]
    signature = meta.signature_def[name]
    infos = [*signature.inputs.values(), *signature.outputs.values()]
    if any(info.WhichOneof("encoding") != "name" for info in infos):
        return {"signature": name, "inputs": [], "outputs": []}
    summary = savedmodel.signatures(meta)[name]
    inputs = [
        {"name": signature.inputs[key].name, "dtype": tensor.dtype, "shape": tensor.shape}
        for key, tensor in summary.inputs.items()
    ]
    outputs = [info.name for info in signature.outputs.values()]
    return {"signature": name, "inputs": inputs, "outputs": outputs}


def _watch(child: subprocess.Popen[bytes], result: int, limits: Limits) -> _Run:
    """Read both pipes until they end; stop the child when it takes too long or too much."""
    run, start = _Run(), time.monotonic()
    assert child.stderr is not None
    with selectors.DefaultSelector() as selector:
        selector.register(result, selectors.EVENT_READ)
        selector.register(child.stderr.fileno(), selectors.EVENT_READ)
        while selector.get_map() and not run.stopped:
            for key, _ in selector.select(_POLL_SECONDS):
                if not _read(run, key.fd, result):
                    selector.unregister(key.fd)
            _bound(run, child.pid, time.monotonic() - start, limits)
    if run.stopped:
        _end(child)
    try:
        run.exit = child.wait(timeout=limits.seconds)
    except subprocess.TimeoutExpired:
        run.stopped = "time"
        _end(child)
    run.seconds = time.monotonic() - start
    return run


def _read(run: _Run, descriptor: int, result: int) -> bool:
    data = os.read(descriptor, 65536)
    if descriptor != result:
        run.stderr = (run.stderr + data)[-_STDERR_BYTES:]
        return bool(data)
    run.lines += data
    *whole, run.lines = run.lines.split(b"\n")
    try:
        for line in whole:
            parsed = json.loads(line)
            run.stages[parsed["stage"]] = parsed
    except (ValueError, KeyError, TypeError):
        run.stopped = "talk"
    if len(run.lines) > _RESULT_BYTES or len(run.stages) > _MAX_STAGES:
        run.stopped = "talk"
    return bool(data)


def _bound(run: _Run, pid: int, seconds: float, limits: Limits) -> None:
    ready = run.stages.get("ready")
    if ready is None:
        if seconds > _START_SECONDS:
            run.stopped = "start"
        return
    if seconds > limits.seconds:
        run.stopped = "time"
    elif _ALLOCATOR in run.stderr or _anonymous(pid) - ready["anonymous"] > limits.memory_mib << 20:
        run.stopped = "memory"


def _anonymous(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    rows = (line.split() for line in text.splitlines() if line.startswith("RssAnon"))
    return next((int(row[1]) << 10 for row in rows), 0)


def _end(child: subprocess.Popen[bytes]) -> None:
    """Kill the child's whole process group and reap it."""
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    if child.stderr is not None:
        child.stderr.close()


def _judge(run: _Run, limits: Limits) -> LoadResult:
    if "unconfined" in run.stages:
        raise Unavailable(f"cannot confine a child here: {run.stages['unconfined']['message']}")
    if "ready" not in run.stages:
        tail = run.stderr[-500:].decode(errors="replace")
        raise Unavailable(f"the loader did not start (exit {run.exit}): {tail}")
    version = str(run.stages["ready"]["version"])
    problem = _problem(run, limits)
    if problem:
        return LoadResult(problem=problem, tensorflow_version=version)
    ran = run.stages["ran"]
    cost = Measurements(
        load_seconds=round(run.stages["loaded"]["seconds"], 4),
        run_seconds=round(ran["seconds"], 4),
        resident_bytes=ran["resident"],
        peak_bytes=ran["peak"],
        child_seconds=round(run.seconds, 4),
    )
    return LoadResult(measurements=cost, tensorflow_version=version)


def _problem(run: _Run, limits: Limits) -> str:
    action = "run" if "loaded" in run.stages else "load"
    too_much = f"needs more than {limits.memory_mib} MiB to {action}"
    if run.stopped == "time" or run.exit == -signal.SIGXCPU:
        return f"did not {action} within {limits.seconds:g} s"
    if _starved(run, limits):
        return too_much
    if run.stopped:
        return f"crashed the loader (it said what it never says) on {action}"
    if "failed" in run.stages:
        return _refusal(run.stages["failed"], too_much, "TensorFlow cannot load it")
    if "ran" in run.stages:
        return _refusal(run.stages["ran"], too_much, "it loads, but does not run")
    crash = f"signal {-run.exit}" if run.exit < 0 else f"exit code {run.exit}"
    return f"crashed the loader ({crash}) on {action}"


def _starved(run: _Run, limits: Limits) -> bool:
    """Whether the child wanted more memory than it may have."""
    if run.stopped == "memory" or _ALLOCATOR in run.stderr:
        return True
    if "ran" in run.stages:
        return bool(run.stages["ran"]["peak"] > limits.memory_mib << 20)
    return "failed" not in run.stages and any(word in run.stderr for word in _OUT_OF_MEMORY)


def _refusal(stage: Mapping[str, Any], too_much: str, text: str) -> str:
    code, message = stage["code"], str(stage["message"])
    if code == _RESOURCE_EXHAUSTED:
        return too_much
    if stage["stage"] == "ran" and code in _UNSUITED and "No OpKernel" not in message:
        return ""
    return f"{text} (code {code}): {message[:1000]}"
