"""More hostile graphs: calls that hide an op, tensors that hide a path. Each is an edit of a real model's message."""

import itertools

from berth.protos import tensorflow_pb2 as tf
from tests.support import graph_parts, hostile

# One of each family that the allow-list leaves out, and what the refusal says.
FORBIDDEN = {
    **dict.fromkeys(("ReadFile", "MatchingFiles", "WholeFileReaderV2"), "reads files"),
    **dict.fromkeys(("TextLineReaderV2", "TFRecordReaderV2", "LMDBReader"), "reads files"),
    **dict.fromkeys(("FixedLengthRecordReaderV2", "ImmutableConst"), "reads files"),
    **dict.fromkeys(("LoadAndRemapMatrix", "Restore", "RestoreSlice"), "reads files"),
    **dict.fromkeys(("GenerateVocabRemapping", "FixedUnigramCandidateSampler"), "reads files"),
    **dict.fromkeys(("WriteFile", "Save", "SaveSlices", "SaveV2"), "writes files"),
    **dict.fromkeys(("MergeV2Checkpoints", "DebugIdentityV2"), "writes files"),
    **dict.fromkeys(("PyFunc", "PyFuncStateless", "EagerPyFunc"), "runs Python"),
    **dict.fromkeys(("RpcClient", "SendTPUEmbeddingGradients", "RecvTPUEmbeddingActivations"), "network"),
    **dict.fromkeys(("CollectiveReduceV2", "NcclAllReduce", "RemoteCall"), "network"),
    **dict.fromkeys(("DataServiceDatasetV4",), "network"),
    **dict.fromkeys(("XlaLaunch", "XlaCallModule", "XlaCustomCallV2"), "compiled code"),
    **dict.fromkeys(("Print", "PrintV2", "WriteSummary", "CreateSummaryFileWriter"), "logs or summaries"),
    "Abort": "ends the server",
    **dict.fromkeys(("Empty", "FakeParam"), "memory as it was found"),
    **dict.fromkeys(("InplaceAdd", "InplaceSub", "InplaceUpdate"), "other tensors' memory"),
    **dict.fromkeys(("QueueDequeueV2", "BarrierTakeMany", "Unstage", "MutexLock"), "not among the ops"),
    **dict.fromkeys(("TextLineDataset", "MapDataset", "GeneratorDataset"), "not among the ops"),
    **dict.fromkeys(("SymbolicGradient", "MapDefun", "BatchFunction"), "not among the ops"),
    **dict.fromkeys(("_Send", "_Recv", "_HostRecv", "TPUExecute"), "not among the ops"),
}  # fmt: skip


def forbidden(op):
    """One op that may not serve, as an output."""

    def edit(meta: tf.MetaGraphDef) -> None:
        meta.graph_def.node.add(name="bad", op=op)
        graph_parts.output(meta, "bad:0")

    return edit


def _hidden(meta: tf.MetaGraphDef) -> None:
    """Functions `inner`, which reads a file, and `outer`, which calls it; nothing calls them yet."""
    hostile.read_file_in_function(meta)
    meta.signature_def["serving_default"].outputs.pop("leak")


def calling(op, attribute, listed=False):
    """A node that runs the hidden function through one of its attributes."""

    def edit(meta: tf.MetaGraphDef) -> None:
        _hidden(meta)
        node = meta.graph_def.node.add(name="calls", op=op)
        if listed:
            node.attr[attribute].list.func.add(name="outer")
        else:
            node.attr[attribute].func.name = "outer"
        graph_parts.output(meta, "calls:0")

    return edit


def mutual_recursion(meta: tf.MetaGraphDef) -> None:
    """Two functions that call each other, one of which reads a file."""
    _hidden(meta)
    named = {f.signature.name: f for f in meta.graph_def.library.function}
    graph_parts.call(named["inner"].node_def.add(), "back", "outer")
    graph_parts.call(meta.graph_def.node.add(), "calls", "outer")
    graph_parts.output(meta, "calls:0")


def carried(meta: tf.MetaGraphDef) -> None:
    """A function carried as an attribute of a function that is carried itself."""
    _hidden(meta)
    harmless = graph_parts.function(meta, "harmless", "s")
    graph_parts.constant(harmless.node_def.add(), "path", b"x")
    harmless.ret["s"] = "path:output:0"
    node = meta.graph_def.node.add()
    graph_parts.call(node, "calls", "harmless")
    node.attr["f"].func.attr["g"].func.attr["h"].func.name = "outer"
    graph_parts.output(meta, "calls:0")


def by_default(meta: tf.MetaGraphDef) -> None:
    """A body calls `$f`, which the caller leaves out: its default is the function that reads a file."""
    _hidden(meta)
    proxy = graph_parts.function(meta, "proxy", "s")
    node = proxy.node_def.add()
    graph_parts.call(node, "deep", "")
    node.attr["f"].placeholder = "f"
    proxy.ret["s"] = "deep:output:0"
    proxy.signature.attr.add(name="f", type="func").default_value.func.name = "inner"
    meta.graph_def.node.add(name="calls", op="proxy")
    graph_parts.output(meta, "calls:0")
    meta.signature_def["serving_default"].outputs["leak"].dtype = graph_parts.STRING


def by_argument(meta: tf.MetaGraphDef) -> None:
    """The same, with the function handed in by the caller."""
    by_default(meta)
    proxy = next(f for f in meta.graph_def.library.function if f.signature.name == "proxy")
    proxy.signature.attr[0].ClearField("default_value")
    graph_parts.node_named(meta, "calls").attr["f"].func.name = "inner"


def gradients(meta: tf.MetaGraphDef) -> None:
    """Functions named as gradients: nothing computes a gradient here, so nothing runs them."""
    _hidden(meta)
    meta.graph_def.library.gradient.add(function_name="harmless", gradient_func="outer")
    for node in meta.graph_def.node:
        node.attr["_gradient_op_type"].s = b"outer"


def overwritten_prefix(meta: tf.MetaGraphDef) -> None:
    """The checkpoint's prefix is written over in place, through a tensor that shares its memory."""
    restore = graph_parts.restore_function(meta)
    for name, value in (("one", 1), ("zero", 0)):
        node = restore.node_def.add(name=name, op="Const")
        node.attr["dtype"].type = node.attr["value"].tensor.dtype = graph_parts.INT32
        node.attr["value"].tensor.tensor_shape.dim.add(size=1)
        node.attr["value"].tensor.int_val.append(value)
    evil = restore.node_def.add()
    graph_parts.constant(evil, "evil", b"/nonexistent/rival")
    evil.attr["value"].tensor.tensor_shape.dim.add(size=1)
    flat = restore.node_def.add(name="flat", op="Reshape", input=["file_prefix", "one:output:0"])
    flat.attr["T"].type, flat.attr["Tshape"].type = graph_parts.STRING, graph_parts.INT32
    swap = restore.node_def.add(name="swap", op="InplaceUpdate")
    swap.input.extend(["flat:output:0", "zero:output:0", "evil:output:0"])
    swap.attr["T"].type = graph_parts.STRING
    next(node for node in restore.node_def if node.op == "RestoreV2").input.append("^swap")


def _handles(meta: tf.MetaGraphDef, name: bytes) -> None:
    """(model table) The variable that the table reads its path from gets another name."""
    for node in meta.graph_def.node:
        if node.op == "VarHandleOp" and node.attr["shared_name"].s == b"Variable":
            node.attr["shared_name"].s = name


def _assign(meta: tf.MetaGraphDef, handle: tf.NodeDef) -> None:
    graph_parts.constant(meta.graph_def.node.add(), "stolen", b"/etc/passwd")
    assign = meta.graph_def.node.add(name="swap", op="AssignVariableOp", input=["slot", "stolen"])
    assign.attr["dtype"].type = graph_parts.STRING
    handle.attr["dtype"].type = graph_parts.STRING
    graph_parts.node_named(meta, meta.saver_def.restore_op_name).input.append("^swap")


def nameless_variable(meta: tf.MetaGraphDef) -> None:
    """(model table) Variables without a name are one and the same: another node writes the path."""
    _handles(meta, b"")
    _assign(meta, meta.graph_def.node.add(name="slot", op="VarHandleOp"))


def variable_named_by_caller(meta: tf.MetaGraphDef) -> None:
    """(model table) A function writes the variable that its caller names."""
    body = graph_parts.function(meta, "writes", "s")
    graph_parts.constant(body.node_def.add(), "stolen", b"/etc/passwd")
    handle = body.node_def.add(name="slot", op="VarHandleOp")
    handle.attr["shared_name"].placeholder = "v"
    handle.attr["dtype"].type = graph_parts.STRING
    assign = body.node_def.add(name="swap", op="AssignVariableOp")
    assign.input.extend(["slot:resource:0", "stolen:output:0"])
    assign.attr["dtype"].type = graph_parts.STRING
    body.ret["s"] = "stolen:output:0"
    body.signature.attr.add(name="v", type="string")
    call = meta.graph_def.node.add(name="calls", op="writes")
    call.attr["v"].s = b"Variable"
    graph_parts.node_named(meta, meta.saver_def.restore_op_name).input.append("^calls")


def table_from_input(meta: tf.MetaGraphDef) -> None:
    """(model table) A signature fills a table from the file that its caller names."""
    node = meta.graph_def.node.add(name="fill", op="InitializeTableFromTextFileV2")
    node.input.extend(["table", "serving_default_word"])
    meta.graph_def.node.add(name="table", op="HashTableV2")
    meta.graph_def.node.add(name="result", op="Identity", input=["serving_default_word", "^fill"])
    graph_parts.output(meta, "result:0")


def table_from_joined(meta: tf.MetaGraphDef) -> None:
    """(model table) The table's file is the asset's path with something joined to it."""
    graph_parts.constant(meta.graph_def.node.add(), "up", b"/../../../rival/1/assets/words")
    for node in meta.graph_def.node:
        if node.op == "ReadVariableOp" and node.input[0] == "Variable":
            asset = meta.asset_file_def[0].tensor_info.name
            node.op = "StringJoin"
            del node.input[:]
            node.input.extend([asset, "up"])


def table_without_path(meta: tf.MetaGraphDef) -> None:
    """(model table) A table op that names no file."""
    bodies = [function.node_def for function in meta.graph_def.library.function]
    for node in itertools.chain(meta.graph_def.node, *bodies):
        if node.op.startswith("InitializeTableFromTextFile"):
            del node.input[1:]


def endless_recursion(meta: tf.MetaGraphDef) -> None:
    """A function that calls itself, with ops that may serve."""
    body = graph_parts.function(meta, "again", "s")
    graph_parts.call(body.node_def.add(), "deeper", "again")
    body.ret["s"] = "deeper:output:0"
    graph_parts.call(meta.graph_def.node.add(), "calls", "again")
    graph_parts.output(meta, "calls:0")
    meta.signature_def["serving_default"].outputs["leak"].dtype = graph_parts.STRING


def many_calls(meta: tf.MetaGraphDef) -> None:
    """A few bytes each for calls of functions: 400 times 64, one for each twin."""
    twins = [graph_parts.function(meta, f"twin{n}", "s") for n in range(64)]
    for twin in twins:
        twin.attr["api_implements"].s = b"same"
    node = meta.graph_def.node.add(name="calls", op="Case")
    node.attr["branches"].list.func.extend([tf.NameAttrList(name="twin0")] * 400)
    graph_parts.output(meta, "calls:0")


def many_twins(meta: tf.MetaGraphDef) -> None:
    """More functions in each other's place than are followed."""
    for number in range(65):
        graph_parts.function(meta, f"twin{number}", "s").attr["api_implements"].s = b"same"


def two_functions_of_one_name(meta: tf.MetaGraphDef) -> None:
    """Which one runs?"""
    graph_parts.function(meta, "same", "s")
    graph_parts.function(meta, "same", "s")


def function_without_name(meta: tf.MetaGraphDef) -> None:
    """Its body would pass for the main graph."""
    graph_parts.function(meta, "", "s")


def node_twice_in_function(meta: tf.MetaGraphDef) -> None:
    """Two nodes of one name in the body that restores: which one gives the path?"""
    restore = graph_parts.restore_function(meta)
    node = next(node for node in restore.node_def if node.op == "RestoreV2")
    node.input[0] = "twice:output:0"
    graph_parts.constant(restore.node_def.add(), "twice", b"a")
    graph_parts.constant(restore.node_def.add(), "twice", b"b")
