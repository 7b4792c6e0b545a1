"""One loaded SavedModel: a TensorFlow session made by the loader the real server uses."""

import ctypes
from collections.abc import Sequence
from pathlib import Path

from google.protobuf import message

from berth.protos import tensorflow_pb2 as tf
from infra.local.tfserving import capi, filesystem, tensors
from infra.local.tfserving.status import Code, StatusError

_SIGNATURE_DEF = 5  # MetaGraphDef.signature_def


class Session:
    """A session over one version directory; `signatures` is all that is kept of its metagraph."""

    def __init__(self, handle: int, graph: int, signatures: dict[str, tf.SignatureDef]) -> None:
        """Take ownership of session and graph; use `load`."""
        self._handle = handle
        self._graph = graph
        self._outputs: dict[str, capi.Output] = {}
        self.signatures = signatures

    def run(
        self,
        feeds: Sequence[tuple[str, tensors.Tensor]],
        fetches: Sequence[str],
        timeout_ms: int,
    ) -> list[tensors.Tensor]:
        """Run once; `timeout_ms` 0 waits for ever. Raises StatusError."""
        lib = capi.library()
        given = (capi.Output * len(feeds))(*(self._output(name) for name, _ in feeds))
        wanted = (capi.Output * len(fetches))(*(self._output(name) for name in fetches))
        results = (ctypes.c_void_p * len(fetches))()
        values = (ctypes.c_void_p * len(feeds))(*(tensors.allocate(each) for _, each in feeds))
        text = b"\x10" + varint(timeout_ms)
        options = lib.TF_NewBufferFromString(text, len(text))
        try:
            with capi.Outcome() as outcome:
                lib.TF_SessionRun(
                    self._handle, options, given, values, len(feeds), wanted, results,
                    len(fetches), None, 0, None, outcome.handle,
                )  # fmt: skip
                outcome.check()
            return [tensors.read(handle) for handle in results if handle]
        finally:
            lib.TF_DeleteBuffer(options)
            for handle in filter(None, results):
                lib.TF_DeleteTensor(handle)
            for handle, (_, tensor) in zip(values, feeds, strict=True):
                tensors.release(handle, tensor)

    def _output(self, name: str) -> capi.Output:
        known = self._outputs.get(name)
        if known is None:
            operation, _, index = name.rpartition(":")
            if not index.isdigit():
                operation, index = name, "0"
            found = capi.library().TF_GraphOperationByName(self._graph, operation.encode())
            if not found:
                raise StatusError(
                    Code.INVALID_ARGUMENT,
                    f"Tensor {name}, specified in either feed_devices or fetch_devices was not "
                    "found in the Graph",
                )
            known = self._outputs[name] = capi.Output(found, int(index))
        return known

    def close(self) -> None:
        """Free session and graph; no run may be in flight."""
        lib = capi.library()
        with capi.Outcome() as outcome:
            lib.TF_CloseSession(self._handle, outcome.handle)
            lib.TF_DeleteSession(self._handle, outcome.handle)
        lib.TF_DeleteGraph(self._graph)


def load(path: str, tags: Sequence[str], config: bytes) -> Session:
    """Load the SavedModel in `path`; `config` is a serialized ConfigProto. Raises StatusError."""
    _precheck(path)
    lib = capi.library()
    options, graph, buffer = lib.TF_NewSessionOptions(), lib.TF_NewGraph(), lib.TF_NewBuffer()
    wanted = (ctypes.c_char_p * len(tags))(*(tag.encode() for tag in tags))
    try:
        with capi.Outcome() as outcome:
            lib.TF_SetConfig(options, config, len(config), outcome.handle)
            outcome.check()
            handle = lib.TF_LoadSessionFromSavedModel(
                options, None, path.encode(), wanted, len(tags), graph, buffer, outcome.handle
            )
            outcome.check()
        content = memoryview((ctypes.c_char * buffer.contents.length).from_address(
            buffer.contents.data
        )).cast("B")  # fmt: skip
        return Session(handle, graph, signatures(content))
    except StatusError:
        lib.TF_DeleteGraph(graph)
        raise
    finally:
        lib.TF_DeleteSessionOptions(options)
        lib.TF_DeleteBuffer(buffer)


def _precheck(path: str) -> None:
    names = ("saved_model.pb", "saved_model.pbtxt")
    if any(filesystem.exists(f"{path}/{name}") for name in names):
        return
    if filesystem.exists(f"{path}/export.meta"):
        raise StatusError(Code.UNIMPLEMENTED, "Session Bundle is deprecated and removed.")
    raise StatusError(
        Code.NOT_FOUND,
        "Specified file path does not appear to contain a SavedModel bundle (should have a file "
        f"called `saved_model.pb`)\nSpecified file path: {path}",
    )


def signatures(meta_graph: memoryview) -> dict[str, tf.SignatureDef]:
    """The signatures of a serialized MetaGraphDef, without decoding the graph beside them."""
    position, parts = 0, []
    while position < len(meta_graph):
        start = position
        tag, position = _read_varint(meta_graph, position)
        if tag & 7 == 2:
            size, position = _read_varint(meta_graph, position)
            position += size
        elif tag & 7 == 0:
            _, position = _read_varint(meta_graph, position)
        else:
            position += 8 if tag & 7 == 1 else 4
        if tag >> 3 == _SIGNATURE_DEF:
            parts.append(bytes(meta_graph[start:position]))
    try:
        kept = tf.MetaGraphDef.FromString(b"".join(parts))
    except message.DecodeError as error:
        raise StatusError(Code.DATA_LOSS, f"Can't parse the signatures: {error}") from error
    return dict(kept.signature_def.items())


def _read_varint(content: memoryview, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = content[position]
        position += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, position


def varint(value: int) -> bytes:
    """Protobuf's variable-length form of a non-negative number."""
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def session_config(intra: int, inter: int) -> bytes:
    """A ConfigProto with these thread counts (0: automatic), pools shared by all sessions."""
    config = b""
    if intra:
        config += b"\x10" + varint(intra)
    if inter:
        config += b"\x28" + varint(inter)
    return config


def version_directory(base: str, child: str) -> str:
    """Path of one version under a base path, local or with a scheme."""
    return f"{base.rstrip('/')}/{child}" if "://" in base else str(Path(base) / child)
