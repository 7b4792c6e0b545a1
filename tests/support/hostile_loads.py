"""Loads that need not do the same twice: dice, clocks, races, and what tells the probe from a server."""

from berth.protos import tensorflow_pb2 as tf
from tests.support import graph_parts

BOOL = 10
LOAD = "may not run while a model loads"
DICE = f"throws dice and {LOAD}"
CLOCK = f"reads the clock and {LOAD}"
BRANCH = f"decides what runs next and {LOAD}"
OTHER = "is not among the ops that may run while a model loads"
# Each may serve in a signature, and none may run while a model loads.
AT_LOAD = {
    **dict.fromkeys(("RandomUniform", "RandomStandardNormal", "RandomUniformInt"), DICE),
    **dict.fromkeys(("RandomShuffle", "RandomGamma", "RandomPoissonV2", "RandomCrop"), DICE),
    **dict.fromkeys(("Multinomial", "TruncatedNormal", "ParameterizedTruncatedNormal"), DICE),
    **dict.fromkeys(("StatefulUniformInt", "NonDeterministicInts", "RngReadAndSkip"), DICE),
    **dict.fromkeys(("SampleDistortedBoundingBoxV2", "StatefulTruncatedNormal"), DICE),
    "Timestamp": CLOCK,
    **dict.fromkeys(("If", "StatelessIf", "Case", "While", "StatelessWhile", "For"), BRANCH),
    **dict.fromkeys(("Switch", "RefSwitch", "Merge", "RefMerge", "Enter", "NextIteration"), BRANCH),
    **dict.fromkeys(("MatMul", "Sum", "Exp", "Conv2D", "Assert", "CheckNumerics"), OTHER),
    **dict.fromkeys(("RegexFullMatch", "StringLength", "StringToNumber", "Equal"), OTHER),
    **dict.fromkeys(("StringToHashBucketFast", "DecodeRaw", "StringJoin"), OTHER),
    **dict.fromkeys(("DeviceIndex", "StatelessRandomUniformV2", "AsString"), OTHER),
    **dict.fromkeys(("LookupTableFindV2", "LookupTableSizeV2", "LookupTableExportV2"), OTHER),
    **dict.fromkeys(("VarIsInitializedOp", "IsVariableInitialized"), OTHER),
    **dict.fromkeys(("AssignAddVariableOp", "ResourceScatterAdd", "ScatterUpdate"), OTHER),
    **dict.fromkeys(("TensorArrayV3", "AccumulateNV2", "ParallelDynamicStitch"), OTHER),
}  # fmt: skip


def on_init(meta: tf.MetaGraphDef, name: str) -> None:
    """Let the init op wait for a node."""
    graph_parts.node_named(meta, "NoOp").input.append(f"^{name}")


def on_restore(meta: tf.MetaGraphDef, name: str) -> None:
    """Let the restore op wait for a node."""
    graph_parts.node_named(meta, meta.saver_def.restore_op_name).input.append(f"^{name}")


def running(op, hang):
    """One op that runs at load."""

    def edit(meta: tf.MetaGraphDef) -> None:
        meta.graph_def.node.add(name="bad", op=op)
        hang(meta, "bad")

    return edit


def running_in_function(op, hang):
    """The same, in a function that is called at load."""

    def edit(meta: tf.MetaGraphDef) -> None:
        body = graph_parts.function(meta, "body", "s")
        body.node_def.add(name="bad", op=op)
        body.ret["s"] = "bad:output:0"
        graph_parts.call(meta.graph_def.node.add(), "calls", "body")
        hang(meta, "calls")

    return edit


def _assert(meta: tf.MetaGraphDef, condition: str) -> None:
    graph_parts.constant(meta.graph_def.node.add(), "why", b"as it was made to")
    node = meta.graph_def.node.add(name="holds", op="Assert", input=[condition, "why"])
    node.attr["T"].list.type.append(graph_parts.STRING)
    on_init(meta, "holds")


def dice_at_load(meta: tf.MetaGraphDef) -> None:
    """Every other load fails: it passes the probe soon, and no server that holds it restarts for long."""
    graph_parts.integers(meta, "sides", [0])
    graph_parts.integers(meta, "two", [2])
    node = meta.graph_def.node.add(name="one_face", op="Const")
    node.attr["dtype"].type = node.attr["value"].tensor.dtype = graph_parts.INT32
    node.attr["value"].tensor.tensor_shape.dim.add(size=0)
    dice = meta.graph_def.node.add(name="dice", op="RandomUniformInt")
    dice.input.extend(["one_face", "sides", "two"])
    dice.attr["Tout"].type = dice.attr["T"].type = graph_parts.INT32
    equal = meta.graph_def.node.add(name="heads", op="Equal", input=["dice", "sides"])
    equal.attr["T"].type = graph_parts.INT32
    _assert(meta, "heads")


def probe_by_path(meta: tf.MetaGraphDef) -> None:
    """(model table) Loads only where the path of its own asset is not a server's."""
    asset = meta.asset_file_def[0].tensor_info.name
    match = meta.graph_def.node.add(name="match", op="StaticRegexFullMatch", input=[asset])
    match.attr["pattern"].s = b".*/served/.*"
    meta.graph_def.node.add(name="elsewhere", op="LogicalNot", input=["match"])
    _assert(meta, "elsewhere")


def first_load_only(meta: tf.MetaGraphDef) -> None:
    """Loads only where no earlier load left something in a table of the same name."""
    table = meta.graph_def.node.add(name="table", op="MutableHashTableV2")
    table.attr["shared_name"].s = b"kept"
    table.attr["key_dtype"].type = table.attr["value_dtype"].type = graph_parts.INT32
    size = meta.graph_def.node.add(name="size", op="LookupTableSizeV2", input=["table"])
    graph_parts.integers(meta, "none", [0], dtype=9)
    equal = meta.graph_def.node.add(name="fresh", op="Equal", input=[size.name, "none"])
    equal.attr["T"].type = 9
    _assert(meta, "fresh")
    graph_parts.integers(meta, "key", [1])
    put = meta.graph_def.node.add(name="put", op="LookupTableInsertV2")
    put.input.extend(["table", "key", "key", "^holds"])
    put.attr["Tin"].type = put.attr["Tout"].type = graph_parts.INT32
    on_init(meta, "put")


def _read(meta: tf.MetaGraphDef) -> tf.NodeDef:
    """The read that the init op waits for."""
    return graph_parts.node_named(meta, "ReadVariableOp")


def unordered_read(meta: tf.MetaGraphDef) -> None:
    """(model table) The read of the asset's path no longer waits for its write: it fails now and then."""
    del _read(meta).input[1:]


def read_of_a_number(meta: tf.MetaGraphDef) -> None:
    """(model table) A read of what restores."""
    _read(meta).attr["dtype"].type = graph_parts.INT32


def second_write(meta: tf.MetaGraphDef) -> None:
    """(model table) The asset's variable is written twice; the read waits for one of the writes."""
    write = next(node for node in meta.graph_def.node if node.op == "AssignVariableOp")
    twice = meta.graph_def.node.add()
    twice.CopyFrom(write)
    twice.name = "twice"
    on_init(meta, "twice")


def write_through_identity(meta: tf.MetaGraphDef) -> None:
    """(model table) The same, through another node that gives the variable."""
    second_write(meta)
    handle = meta.graph_def.node.add(name="alias", op="Identity", input=["Variable"])
    handle.attr["T"].type = 20
    graph_parts.node_named(meta, "twice").input[0] = "alias"


def write_that_compares(meta: tf.MetaGraphDef) -> None:
    """(model table) A write that fails if another of another shape came first."""
    write = next(node for node in meta.graph_def.node if node.op == "AssignVariableOp")
    write.attr["validate_shape"].b = True


def _local(meta: tf.MetaGraphDef, name: str, value: int, shared: bytes = b"") -> None:
    """A variable of the old kind, set by the init op."""
    variable = meta.graph_def.node.add(name=name, op="VariableV2")
    variable.attr["dtype"].type = graph_parts.INT32
    variable.attr["shape"].shape.SetInParent()
    variable.attr["shared_name"].s = shared
    graph_parts.integers(meta, f"{name}/value", [value])
    assign = meta.graph_def.node.add(name=f"{name}/set", op="Assign")
    assign.input.extend([name, f"{name}/value"])
    assign.attr["T"].type = graph_parts.INT32
    graph_parts.node_named(meta, "init_all_tables_1").input.append(f"^{name}/set")


def local_variable(meta: tf.MetaGraphDef) -> None:
    """(model graph) An ordinary init op that sets a local variable to a constant."""
    _local(meta, "steps", 0)


def reference_written_twice(meta: tf.MetaGraphDef) -> None:
    """(model graph) Two nodes for one variable, set to two values."""
    _local(meta, "steps", 0)
    _local(meta, "other", 1, shared=b"steps")


def reference_read(meta: tf.MetaGraphDef) -> None:
    """(model graph) A variable of the old kind is read by naming it."""
    _local(meta, "steps", 0)
    meta.graph_def.node.add(name="look", op="Identity", input=["steps"])
    graph_parts.node_named(meta, "init_all_tables_1").input.append("^look")


def reference_of_nothing(meta: tf.MetaGraphDef) -> None:
    """(model graph) A write whose variable comes from another op."""
    _local(meta, "steps", 0)
    graph_parts.node_named(meta, "steps/set").input[0] = "steps/value"


def keyed_table(meta: tf.MetaGraphDef) -> None:
    """An ordinary init op: a table of words, numbered as they stand."""
    graph_parts.constant(meta.graph_def.node.add(), "words", b"north")
    node = graph_parts.node_named(meta, "words")
    node.attr["value"].tensor.tensor_shape.dim.add(size=1)
    for name, op, inputs in (
        ("count", "Size", ["words"]),
        ("from", "ZerosLike", ["count"]),
        ("step", "OnesLike", ["count"]),
        ("numbers", "Range", ["from", "count", "step"]),
        ("long", "Cast", ["numbers"]),
        ("index", "HashTableV2", []),
        ("filled", "LookupTableImportV2", ["index", "words", "long"]),
    ):
        meta.graph_def.node.add(name=name, op=op, input=inputs)
    on_init(meta, "filled")
