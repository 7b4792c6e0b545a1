"""The allow-list of ops, applied to all that signatures, init op and restore op can reach.

What cannot be reached does not count: every ordinary SavedModel holds SaveV2 in its save
function. A file name must come from the loader: the checkpoint's prefix or a declared asset.
What runs at load must besides do the same at every load (loading.py).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from google.protobuf.message import DecodeError

from berth.domain import loading
from berth.domain.allowed_ops import ALLOWED
from berth.domain.errors import InvalidModel
from berth.domain.graph import MAIN, Call, Graph, Reach
from berth.domain.origins import Origin, Tracer
from berth.protos import tensorflow_pb2 as tf

INIT_SIGNATURE = "__saved_model_init_op"
_INIT_COLLECTIONS = ("saved_model_main_op", "legacy_init_op")
_ASSETS_COLLECTION = "saved_model_assets"
_MAX_VIOLATIONS = 20
Path = Literal["signature", "init op", "restore op"]

# Ops that open a file: the input that names it, and the paths on which the loader may run them.
_RESTORE = {"RestoreV2": 0}
_TABLES = {"InitializeTableFromTextFile": 1, "InitializeTableFromTextFileV2": 1}
_GUARDED = frozenset({*_RESTORE, *_TABLES})
_KNOWN = ALLOWED | _GUARDED
_WHY = (
    (
        ("ReadFile", "MatchingFiles", "WholeFileReader", "TextLineReader", "TFRecordReader"),
        "reads files",
    ),
    (("FixedLengthRecordReader", "LMDB", "ImmutableConst", "LoadAndRemap"), "reads files"),
    (("Restore", "GenerateVocabRemapping", "FixedUnigram"), "reads files"),
    (("WriteFile", "Save", "MergeV2Checkpoints", "DumpTensor", "Debug"), "writes files"),
    (("PyFunc", "EagerPyFunc"), "runs Python"),
    (
        ("Rpc", "Send", "Recv", "Collective", "Nccl", "RemoteCall", "DataService"),
        "talks to the network",
    ),
    (("Xla",), "runs compiled code that may call back into the host"),
    (("Print", "WriteSummary", "CreateSummary"), "writes logs or summaries"),
    (("Abort",), "ends the server's process"),
    (("Inplace",), "changes other tensors' memory"),
    (("Empty", "FakeParam"), "gives memory as it was found"),
)


@dataclass(frozen=True, slots=True)
class Violation:
    """One op that may not serve. `function` is empty in the main graph."""

    node: str
    function: str
    op: str
    reason: str

    def text(self) -> str:
        """Return one line for the customer."""
        where = f" in function {self.function[:120]}" if self.function else ""
        return f"node {self.node[:120]}{where}: op {self.op[:60]} {self.reason}"


def judge(meta: tf.MetaGraphDef) -> tuple[Violation, ...]:
    """Return what breaks the policy, each once, at most 20; empty means it may run in a server.

    Raises InvalidModel when the graph is inconsistent or too large.
    """
    graph = Graph(meta)
    found: list[Violation] = []
    for violation in _violations(graph, meta):
        if violation not in found:
            found.append(violation)
        if len(found) >= _MAX_VIOLATIONS:
            break
    return tuple(found)


def assets(meta: tf.MetaGraphDef) -> tuple[tf.AssetFileDef, ...]:
    """Return the declared assets as TensorFlow's loader finds them.

    Raises InvalidModel when the old collection does not parse.
    """
    if meta.asset_file_def or _ASSETS_COLLECTION not in meta.collection_def:
        return tuple(meta.asset_file_def)
    packed = meta.collection_def[_ASSETS_COLLECTION].any_list.value
    try:
        return tuple(tf.AssetFileDef.FromString(any_.value) for any_ in packed)
    except DecodeError as error:
        raise InvalidModel("the collection saved_model_assets does not parse") from error


def _violations(graph: Graph, meta: tf.MetaGraphDef) -> Iterator[Violation]:
    yield from _shadows(graph)
    yield from _init_signature(graph, meta)
    walks: dict[Path, Reach] = {
        "signature": graph.walk(_signature_roots(meta)),
        "init op": graph.walk(_init_roots(meta)),
        "restore op": graph.walk(filter(None, [meta.saver_def.restore_op_name])),
    }
    for path, reach in walks.items():
        for scope, node in reach.nodes:
            if node.op not in graph.functions and node.op not in _KNOWN:
                yield Violation(
                    node.name, scope, node.op, f"{_why(node.op)}; reached from the {path}"
                )
    yield from _files(graph, meta, walks)
    yield from _loading(graph, walks)


def _loading(graph: Graph, walks: dict[Path, Reach]) -> Iterator[Violation]:
    for path, reach in walks.items():
        if path != "signature":
            for scope, node, reason in loading.unsteady(graph, reach):
                if node.op in _KNOWN:
                    yield Violation(node.name, scope, node.op, f"{reason}; reached from the {path}")


def _shadows(graph: Graph) -> Iterator[Violation]:
    """A function named like an op would be judged as one and run as the other."""
    for name in graph.functions:
        if name in _KNOWN:
            yield Violation(name, "", name, "is also the name of a function in the graph")


def _init_signature(graph: Graph, meta: tf.MetaGraphDef) -> Iterator[Violation]:
    """A caller can name any signature: the init op may have no output that a caller could fetch."""
    if INIT_SIGNATURE not in meta.signature_def:
        return
    signature = meta.signature_def[INIT_SIGNATURE]
    names = [info.name for info in signature.outputs.values()]
    if set(signature.outputs) != {INIT_SIGNATURE} or signature.inputs:
        yield Violation(INIT_SIGNATURE, "", "signature", "must name one init op and nothing else")
    for name in names:
        node = graph.node(MAIN, name)
        if node is None or node.op != "NoOp":
            yield Violation(name, "", node.op if node else "?", "is no NoOp, as an init op must be")


def _files(graph: Graph, meta: tf.MetaGraphDef, walks: dict[Path, Reach]) -> Iterator[Violation]:
    loading = Reach(walks["init op"].nodes + walks["restore op"].nodes, _merged(walks))
    declared = [asset.tensor_info.name for asset in assets(meta)]
    by_asset = Tracer(graph, loading, declared)
    by_prefix = Tracer(graph, walks["restore op"], [meta.saver_def.filename_tensor_name])
    for path, reach in walks.items():
        for scope, node in reach.nodes:
            if node.op in _RESTORE:
                tracer = by_prefix if path == "restore op" else None
                yield from _file(tracer, path, scope, node, "the checkpoint's own prefix")
            elif node.op in _TABLES:
                tracer = None if path == "signature" else by_asset
                yield from _file(tracer, path, scope, node, "a declared asset")


def _file(
    tracer: Tracer | None, path: Path, scope: str, node: tf.NodeDef, source: str
) -> Iterator[Violation]:
    if tracer is None:
        yield Violation(
            node.name, scope, node.op, f"reads files; it may not be reached from the {path}"
        )
        return
    position = {**_RESTORE, **_TABLES}[node.op]
    if len(node.input) <= position:
        yield Violation(node.name, scope, node.op, "has no file name")
        return
    for origin in sorted(tracer.origins(scope, node.input[position]), key=str):
        if origin.kind != "fed":
            reason = f"reads {_spelled(origin)} instead of {source}; reached from the {path}"
            yield Violation(node.name, scope, node.op, reason)


def _merged(walks: dict[Path, Reach]) -> dict[str, list[Call]]:
    merged = {name: list(calls) for name, calls in walks["init op"].calls.items()}
    for name, calls in walks["restore op"].calls.items():
        merged.setdefault(name, []).extend(calls)
    return merged


def _spelled(origin: Origin) -> str:
    if origin.kind == "const":
        return f"the constant path {origin.text!r}"
    return f"a path computed by {origin.text}"


def _why(op: str) -> str:
    for starts, reason in _WHY:
        if op.startswith(starts):
            return f"{reason} and may not serve"
    return "is not among the ops that may serve"


def _init_roots(meta: tf.MetaGraphDef) -> Iterator[str]:
    for key in _INIT_COLLECTIONS:
        if key in meta.collection_def:
            yield from meta.collection_def[key].node_list.value
    if INIT_SIGNATURE in meta.signature_def:
        for info in meta.signature_def[INIT_SIGNATURE].outputs.values():
            yield from _tensor_names(info)


def _signature_roots(meta: tf.MetaGraphDef) -> Iterator[str]:
    for name, signature in meta.signature_def.items():
        if name != INIT_SIGNATURE:
            for info in (*signature.inputs.values(), *signature.outputs.values()):
                yield from _tensor_names(info)


def _tensor_names(info: tf.TensorInfo) -> Iterator[str]:
    kind = info.WhichOneof("encoding")
    if kind == "name" and info.name:
        yield info.name
    elif kind == "coo_sparse":
        sparse = info.coo_sparse
        yield sparse.values_tensor_name
        yield sparse.indices_tensor_name
        yield sparse.dense_shape_tensor_name
    elif kind == "composite_tensor":
        for part in info.composite_tensor.components:
            yield from _tensor_names(part)
