"""TensorFlow's C API by ctypes: load a SavedModel and run a signature, without Python's tensorflow.

Standard library only: the child imports it without site-packages.
"""

import ctypes
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_P = ctypes.c_void_p
_CONFIG = b"\x10\x02\x28\x02"  # ConfigProto: two threads inside ops, two between them
STRING = 7
_WIDTHS = {1: 4, 2: 8, 3: 4, 4: 1, 5: 2, 6: 1, STRING: 24, 8: 8, 9: 8, 10: 1, 14: 2, 17: 2}
_WIDTHS |= {18: 16, 19: 2, 22: 4, 23: 8}
_MAX_INPUT = 64 << 20


class Failed(Exception):
    """TensorFlow answered with an error. `code` is a canonical status code."""

    def __init__(self, code: int, message: str) -> None:
        """Keep both parts."""
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class NotRun(Exception):
    """No input of zeros can be made for this signature."""


class _Output(ctypes.Structure):
    _fields_ = (("oper", _P), ("index", ctypes.c_int))


@dataclass(frozen=True, slots=True)
class Input:
    """An input to feed with zeros: `name:index`, TensorFlow's dtype number, -1: unknown size."""

    name: str
    dtype: int
    shape: tuple[int, ...] | None


class Library:
    """The loaded libraries. One per process."""

    def __init__(self, folder: Path) -> None:
        """Load libtensorflow from the wheel's folder. Raises OSError when it is not there."""
        ctypes.CDLL(str(folder / "libtensorflow_framework.so.2"), mode=ctypes.RTLD_GLOBAL)
        self._c = ctypes.CDLL(str(folder / "libtensorflow_cc.so.2"), mode=ctypes.RTLD_GLOBAL)
        self._declare()
        self._status = self._c.TF_NewStatus()

    def version(self) -> str:
        """Return TensorFlow's version."""
        return str(self._c.TF_Version().decode())

    def warm(self) -> None:
        """Make devices and thread pools, so that a baseline does not count them as the model's."""
        graph, options = self._c.TF_NewGraph(), self._options()
        session = self._c.TF_NewSession(graph, options, self._status)
        self._check()
        self._c.TF_DeleteSession(session, self._status)
        self._check()

    def load(self, folder: str) -> "Model":
        """Load a version folder with the tag `serve`. Raises Failed."""
        graph = self._c.TF_NewGraph()
        tags = (ctypes.c_char_p * 1)(b"serve")
        session = self._c.TF_LoadSessionFromSavedModel(
            self._options(), None, folder.encode(), tags, 1, graph, None, self._status
        )
        self._check()
        return Model(self._c, self._status, session, graph)

    def _options(self) -> int:
        options: int = self._c.TF_NewSessionOptions()
        self._c.TF_SetConfig(options, _CONFIG, len(_CONFIG), self._status)
        self._check()
        return options

    def _check(self) -> None:
        check(self._c, self._status)

    def _declare(self) -> None:
        size, integer, text = ctypes.c_size_t, ctypes.c_int, ctypes.c_char_p
        many = ctypes.POINTER(_Output)
        pointers = ctypes.POINTER(_P)
        load = [_P, _P, text, ctypes.POINTER(text), integer, _P, _P, _P]
        run = [_P, _P, many, pointers, integer, many, pointers, integer, _P, integer, _P, _P]
        for name, result, arguments in (
            ("TF_NewStatus", _P, []),
            ("TF_Version", text, []),
            ("TF_GetCode", integer, [_P]),
            ("TF_Message", text, [_P]),
            ("TF_NewGraph", _P, []),
            ("TF_NewSessionOptions", _P, []),
            ("TF_SetConfig", None, [_P, text, size, _P]),
            ("TF_NewSession", _P, [_P, _P, _P]),
            ("TF_DeleteSession", None, [_P, _P]),
            ("TF_LoadSessionFromSavedModel", _P, load),
            ("TF_GraphOperationByName", _P, [_P, text]),
            ("TF_AllocateTensor", _P, [integer, ctypes.POINTER(ctypes.c_int64), integer, size]),
            ("TF_TensorData", _P, [_P]),
            ("TF_SessionRun", None, run),
        ):
            function = getattr(self._c, name)
            function.restype, function.argtypes = result, arguments


class Model:
    """A loaded model."""

    def __init__(self, library: ctypes.CDLL, status: int, session: int, graph: int) -> None:
        """Keep the handles; the process ends before they would have to be freed."""
        self._c, self._status, self._session, self._graph = library, status, session, graph

    def run(self, inputs: Sequence[Input], outputs: Sequence[str]) -> None:
        """Run once with zeros (empty strings), batch and unknown sizes 1. Raises Failed, NotRun."""
        feeds = (_Output * len(inputs))(*(self._tensor(i.name) for i in inputs))
        values = (_P * len(inputs))(*(self._zeros(i) for i in inputs))
        fetches = (_Output * len(outputs))(*(self._tensor(name) for name in outputs))
        results = (_P * len(outputs))()
        self._c.TF_SessionRun(
            *(self._session, None, feeds, values, len(inputs)),
            *(fetches, results, len(outputs), None, 0, None, self._status),
        )
        check(self._c, self._status)

    def _tensor(self, name: str) -> _Output:
        node, _, index = name.partition(":")
        operation = self._c.TF_GraphOperationByName(self._graph, node.encode())
        if not operation:
            raise Failed(5, f"the signature names {node[:200]!r}, which the graph does not hold")
        return _Output(operation, int(index or 0))

    def _zeros(self, given: Input) -> int:
        shape = [1] if given.shape is None else [1 if size < 0 else size for size in given.shape]
        count = math.prod(shape)
        if given.dtype not in _WIDTHS or count * _WIDTHS[given.dtype] > _MAX_INPUT:
            raise NotRun(f"input {given.name[:200]!r}")
        length = count * _WIDTHS[given.dtype]
        dims = (ctypes.c_int64 * len(shape))(*shape)
        tensor: int = self._c.TF_AllocateTensor(given.dtype, dims, len(shape), length)
        if length:
            # All zero bytes are also the empty TF_TString.
            ctypes.memset(self._c.TF_TensorData(tensor), 0, length)
        return tensor


def check(library: ctypes.CDLL, status: int) -> None:
    """Raise Failed unless the last call succeeded."""
    code = library.TF_GetCode(status)
    if code:
        raise Failed(code, library.TF_Message(status).decode(errors="replace")[:4000])
