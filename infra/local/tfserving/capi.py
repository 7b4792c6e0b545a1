"""TensorFlow's C library out of the tensorflow wheel, by ctypes: nothing imports `tensorflow`."""

import ctypes
import functools
import importlib.util
from ctypes import POINTER, c_char_p, c_int, c_int64, c_size_t, c_void_p
from pathlib import Path
from typing import Any

from infra.local.tfserving.status import Code, StatusError


class Buffer(ctypes.Structure):
    """TF_Buffer."""

    _fields_ = (("data", c_void_p), ("length", c_size_t), ("deallocator", c_void_p))


class Output(ctypes.Structure):
    """TF_Output: one output of one operation."""

    _fields_ = (("operation", c_void_p), ("index", c_int))


class FileStatistics(ctypes.Structure):
    """TF_FileStatistics."""

    _fields_ = (("length", c_int64), ("mtime_nsec", c_int64), ("is_directory", ctypes.c_bool))


_P = c_void_p
_SESSION = {
    "TF_Version": (c_char_p, []),
    "TF_NewStatus": (_P, []),
    "TF_DeleteStatus": (None, [_P]),
    "TF_GetCode": (c_int, [_P]),
    "TF_Message": (c_char_p, [_P]),
    "TF_NewGraph": (_P, []),
    "TF_DeleteGraph": (None, [_P]),
    "TF_GraphOperationByName": (_P, [_P, c_char_p]),
    "TF_NewSessionOptions": (_P, []),
    "TF_DeleteSessionOptions": (None, [_P]),
    "TF_SetConfig": (None, [_P, c_char_p, c_size_t, _P]),
    "TF_NewBuffer": (POINTER(Buffer), []),
    "TF_NewBufferFromString": (POINTER(Buffer), [c_char_p, c_size_t]),
    "TF_DeleteBuffer": (None, [POINTER(Buffer)]),
    "TF_LoadSessionFromSavedModel": (
        _P,
        [_P, _P, c_char_p, POINTER(c_char_p), c_int, _P, POINTER(Buffer), _P],
    ),
    "TF_CloseSession": (None, [_P, _P]),
    "TF_DeleteSession": (None, [_P, _P]),
    "TF_SessionRun": (
        None,
        [_P, _P, _P, _P, c_int, _P, _P, c_int, _P, c_int, _P, _P],
    ),
}
_TENSOR = {
    "TF_AllocateTensor": (_P, [c_int, POINTER(c_int64), c_int, c_size_t]),
    "TF_DeleteTensor": (None, [_P]),
    "TF_TensorType": (c_int, [_P]),
    "TF_NumDims": (c_int, [_P]),
    "TF_Dim": (c_int64, [_P, c_int]),
    "TF_TensorByteSize": (c_size_t, [_P]),
    "TF_TensorData": (_P, [_P]),
    "TF_StringInit": (None, [_P]),
    "TF_StringCopy": (None, [_P, c_char_p, c_size_t]),
    "TF_StringGetDataPointer": (_P, [_P]),
    "TF_StringGetSize": (c_size_t, [_P]),
    "TF_StringDealloc": (None, [_P]),
}
_FILES = {
    "TF_FileStat": (None, [c_char_p, POINTER(FileStatistics), _P]),
    "TF_GetChildren": (_P, [c_char_p, _P]),
    "TF_StringStreamNext": (ctypes.c_bool, [_P, POINTER(c_char_p)]),
    "TF_StringStreamDone": (None, [_P]),
}
STRING_BYTES = 24  # sizeof(TF_TString)


@functools.cache
def library() -> Any:  # noqa: ANN401 - ctypes has no types for a library's functions
    """The loaded library with argument and result types set."""
    spec = importlib.util.find_spec("tensorflow")
    if spec is None or spec.origin is None:
        raise StatusError(Code.UNAVAILABLE, "the tensorflow wheel is not installed")
    folder = Path(spec.origin).parent
    # Not RTLD_GLOBAL: its BoringSSL would take the place of Python's OpenSSL, and hashlib crash.
    core = ctypes.CDLL(str(folder / "libtensorflow_cc.so.2"))
    for name, (result, arguments) in (_SESSION | _TENSOR | _FILES).items():
        function = getattr(core, name)
        function.restype, function.argtypes = result, arguments
    return core


class Outcome:
    """A TF_Status for one call: pass `handle` to it, then `check()`."""

    def __enter__(self) -> "Outcome":
        """Allocate the status."""
        self.handle = library().TF_NewStatus()
        return self

    def __exit__(self, *_: object) -> None:
        """Free the status."""
        library().TF_DeleteStatus(self.handle)

    def check(self) -> None:
        """Raises StatusError with TensorFlow's own code and message."""
        code = library().TF_GetCode(self.handle)
        if code:
            message = library().TF_Message(self.handle).decode(errors="replace")
            raise StatusError(Code(code), message)
