"""What may run while a model loads: ops that do the same at every load, on every machine.

A load that throws dice, reads the clock or lets two threads race can pass the probe and end the
server at its next restart. So loading has an allow-list of its own, far below that of signatures:
what places constants, files' contents and tables, and shapes whole numbers. Left out besides dice
and clocks: branches and loops, what turns text into numbers (the text could be the model's own path,
which tells the probe from a server), arithmetic whose last bits hang on the processor, and
reads of variables and tables that something else may be writing.
"""

from collections.abc import Iterator

from berth.domain.graph import MAIN, Graph, Reach, node_of
from berth.protos import tensorflow_pb2 as tf

_UNTOLD, _STRING = 0, 7
_REFERENCES = frozenset({"VariableV2", "Variable"})
_DICE = (
    *("Random", "Stateful", "Multinomial", "ParameterizedTruncatedNormal", "TruncatedNormal"),
    *("Rng", "NonDeterministic", "SampleDistorted"),
)
_BRANCHES = ("If", "Case", "While", "For", "Switch", "Merge", "Enter", "Exit", "NextIteration")

_NAMES = """
Add AddV2 AnonymousHashTable AnonymousMutableDenseHashTable AnonymousMutableHashTable
AnonymousMutableHashTableOfTensors Assign AssignVariableOp BroadcastTo Cast Concat ConcatV2 Const
ControlTrigger DisableCopyOnRead EnsureShape ExpandDims Fill GatherV2 HashTable HashTableV2 Identity
IdentityN InitializeTable InitializeTableFromTextFile InitializeTableFromTextFileV2
InitializeTableV2 LookupTableImport LookupTableImportV2 LookupTableInsert LookupTableInsertV2 Mul
MutableDenseHashTable MutableDenseHashTableV2 MutableHashTable MutableHashTableOfTensors
MutableHashTableOfTensorsV2 MutableHashTableV2 NoOp OnesLike Pack PartitionedCall Placeholder
PlaceholderWithDefault Range Rank ReadVariableOp Reshape RestoreV2 Shape ShapeN Size Slice Split
SplitV Squeeze StatefulPartitionedCall StopGradient StridedSlice Sub Tile Transpose Unpack VarHandleOp
Variable VariableV2 ZerosLike
"""

AT_LOAD: frozenset[str] = frozenset(_NAMES.split())


def unsteady(graph: Graph, reach: Reach) -> Iterator[tuple[str, tf.NodeDef, str]]:
    """Return scope, node and reason of all in one walk that need not do the same at every load."""
    assigned: set[bytes] = set()
    writers = _writers(graph, reach)
    for scope, node in reach.nodes:
        if node.op in graph.functions:
            continue
        reason = "" if node.op in AT_LOAD else _why(node.op)
        if node.op == "Assign":
            reason = _assigns_twice(graph, scope, node, assigned)
        elif node.op == "AssignVariableOp" and _validates(node):
            reason = "compares shapes with what is in the variable"
        elif node.op == "ReadVariableOp":
            reason = _races(graph, writers, scope, node)
        reason = reason or _reads_reference(graph, scope, node)
        if reason:
            yield scope, node, reason


def _why(op: str) -> str:
    if op == "Timestamp":
        return "reads the clock and may not run while a model loads"
    if op.removeprefix("Stateless").removeprefix("Ref").startswith(_BRANCHES):
        return "decides what runs next and may not run while a model loads"
    if op.startswith(_DICE):
        return "throws dice and may not run while a model loads"
    return "is not among the ops that may run while a model loads"


def _assigns_twice(graph: Graph, scope: str, node: tf.NodeDef, assigned: set[bytes]) -> str:
    """Two writes of one variable may come in either order; `assigned` grows."""
    target = graph.node(scope, node_of(node.input[0])) if node.input else None
    if scope != MAIN or target is None or target.op not in _REFERENCES:
        return "writes a variable that cannot be told"
    name = _attribute(target, "shared_name").s or target.name.encode()
    if name in assigned:
        return "writes a variable a second time, in either order"
    assigned.add(name)
    return ""


def _validates(node: tf.NodeDef) -> bool:
    value = _attribute(node, "validate_shape")
    return value.b or value.WhichOneof("value") not in (None, "b")


def _writers(graph: Graph, reach: Reach) -> dict[bytes, set[tuple[str, str]]]:
    """What writes text, or may, by the variable's shared name; under no name what can write any."""
    found: dict[bytes, set[tuple[str, str]]] = {b"": set()}
    for scope, node in reach.nodes:
        if node.op == "AssignVariableOp" and _attribute(node, "dtype").type in (_UNTOLD, _STRING):
            found.setdefault(_shared(graph, scope, node), set()).add((scope, node.name))
    return found


def _races(
    graph: Graph, writers: dict[bytes, set[tuple[str, str]]], scope: str, node: tf.NodeDef
) -> str:
    """A read is of text (a declared asset's path), written once, and waits for that write."""
    if _attribute(node, "dtype").type != _STRING:
        return "reads a variable while a model loads"
    name = _shared(graph, scope, node)
    waited = {(scope, node_of(ref)) for ref in node.input if ref.startswith("^")}
    expected = writers.get(name, set()) | writers[b""]
    if not name or len(expected) != 1 or not expected <= waited:
        return "reads a variable without waiting for its one write"
    return ""


def _shared(graph: Graph, scope: str, node: tf.NodeDef) -> bytes:
    """The name of a main graph's variable; empty where it has none or cannot be told."""
    handle = graph.node(scope, node_of(node.input[0])) if scope == MAIN and node.input else None
    if handle is None or handle.op != "VarHandleOp":
        return b""
    return _attribute(handle, "shared_name").s


def _reads_reference(graph: Graph, scope: str, node: tf.NodeDef) -> str:
    data = list(node.input)[1:] if node.op == "Assign" else node.input
    sources = (graph.node(scope, node_of(ref)) for ref in data if not ref.startswith("^"))
    if any(source is not None and source.op in _REFERENCES for source in sources):
        return "reads a variable while a model loads"
    return ""


def _attribute(node: tf.NodeDef, key: str) -> tf.AttrValue:
    """An attribute, empty where the node has none: to ask for it by its key would add it."""
    return node.attr[key] if key in node.attr else tf.AttrValue()
