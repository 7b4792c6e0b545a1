"""Existence, listing and size of files; paths with a scheme go through TensorFlow's own code."""

import ctypes
import os

from infra.local.tfserving import capi
from infra.local.tfserving.status import Code, StatusError

_CODES = {FileNotFoundError: Code.NOT_FOUND, PermissionError: Code.PERMISSION_DENIED}


def exists(path: str) -> bool:
    """Whether `path` can be found; any error counts as absence, as FileExists().ok() does."""
    try:
        require(path)
    except StatusError:
        return False
    return True


def require(path: str) -> None:
    """Raises StatusError NOT_FOUND, or whatever keeps `path` from being read."""
    if "://" in path:
        _stat(path)
    elif not os.access(path, os.F_OK):
        raise StatusError(Code.NOT_FOUND, f"{path} not found")


def children(path: str) -> list[str]:
    """Names under a folder, sorted. Raises StatusError."""
    if "://" in path:
        return sorted(name.strip("/") for name in _children(path))
    try:
        return sorted(os.listdir(path))
    except OSError as error:
        raise _status(error, path) from error


def total_bytes(path: str) -> int:
    """Bytes of all files under `path`, read one by one as the resource estimate does."""
    if "://" in path:
        return _remote_bytes(path)
    try:
        if not os.path.isdir(path):
            return os.stat(path).st_size
        total = 0
        for entry in os.scandir(path):
            total += total_bytes(entry.path) if entry.is_dir() else entry.stat().st_size
        return total
    except OSError as error:
        raise _status(error, path) from error


def _status(error: OSError, path: str) -> StatusError:
    code = _CODES.get(type(error), Code.UNKNOWN)
    return StatusError(code, f"{path}; {error.strerror}")


def _remote_bytes(path: str) -> int:
    found = _stat(path)
    if not found.is_directory:
        return int(found.length)
    return sum(_remote_bytes(f"{path.rstrip('/')}/{name}") for name in children(path))


def _stat(path: str) -> capi.FileStatistics:
    found = capi.FileStatistics()
    with capi.Outcome() as outcome:
        capi.library().TF_FileStat(path.encode(), ctypes.byref(found), outcome.handle)
        outcome.check()
    return found


def _children(path: str) -> list[str]:
    lib, names, name = capi.library(), [], ctypes.c_char_p()
    with capi.Outcome() as outcome:
        stream = lib.TF_GetChildren(path.encode(), outcome.handle)
        outcome.check()
    while lib.TF_StringStreamNext(stream, ctypes.byref(name)):
        names.append((name.value or b"").decode())
    lib.TF_StringStreamDone(stream)
    return names
