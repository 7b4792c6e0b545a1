"""Hostile SavedModels, made by editing the messages of real ones. Each is a function of a fresh copy."""

import shutil
from collections.abc import Callable
from pathlib import Path

from berth.protos import tensorflow_pb2 as tf
from tests.support import probe_models

FLOAT, INT32, STRING = 1, 3, 7
Edit = Callable[[tf.MetaGraphDef], None]


def graph(name: str = "module") -> tf.MetaGraphDef:
    """The MetaGraph of an ordinary model."""
    return _saved(probe_models.model(name)).meta_graphs[0]


def edited(edit: Edit, name: str = "module") -> tf.MetaGraphDef:
    """An ordinary MetaGraph after an edit."""
    meta = graph(name)
    edit(meta)
    return meta


def write(edit: Edit, into: Path, name: str = "module") -> Path:
    """A version folder whose saved_model.pb was edited."""
    shutil.copytree(probe_models.model(name), into)
    saved = _saved(into)
    edit(saved.meta_graphs[0])
    (into / "saved_model.pb").write_bytes(saved.SerializeToString())
    return into


def read_file_in_signature(meta: tf.MetaGraphDef) -> None:
    """An output that reads /etc/passwd."""
    _const(meta.graph_def.node.add(), "path", b"/etc/passwd")
    meta.graph_def.node.add(name="leak", op="ReadFile", input=["path"])
    _output(meta, "leak:0")


def read_file_in_function(meta: tf.MetaGraphDef) -> None:
    """The same, two functions deep."""
    inner = _function(meta, "inner", "s")
    _const(inner.node_def.add(), "path", b"/etc/passwd")
    inner.node_def.add(name="leak", op="ReadFile", input=["path:output:0"])
    inner.ret["s"] = "leak:contents:0"
    outer = _function(meta, "outer", "s")
    _call(outer.node_def.add(), "deep", "inner")
    outer.ret["s"] = "deep:output:0"
    _call(meta.graph_def.node.add(), "shallow", "outer")
    _output(meta, "shallow:0")


def read_file_in_branch(meta: tf.MetaGraphDef) -> None:
    """The same, in the body of a loop."""
    read_file_in_function(meta)
    meta.signature_def["serving_default"].outputs.pop("leak")
    node = meta.graph_def.node.add(name="loop", op="StatelessWhile")
    node.attr["body"].func.name = "outer"
    _output(meta, "loop:0")


def read_file_by_name(meta: tf.MetaGraphDef) -> None:
    """A function called by using its name as the op."""
    read_file_in_function(meta)
    meta.signature_def["serving_default"].outputs.pop("leak")
    meta.graph_def.node.add(name="direct", op="outer")
    _output(meta, "direct:0")


def read_file_in_twin(meta: tf.MetaGraphDef) -> None:
    """A function that the optimizer may swap in for the one that is called."""
    read_file_in_function(meta)
    meta.signature_def["serving_default"].outputs.pop("leak")
    harmless = _function(meta, "harmless", "s")
    _const(harmless.node_def.add(), "path", b"nothing")
    harmless.ret["s"] = "path:output:0"
    for function in meta.graph_def.library.function:
        if function.signature.name in ("harmless", "outer"):
            function.attr["api_implements"].s = b"same"
    _call(meta.graph_def.node.add(), "swap", "harmless")
    _output(meta, "swap:0")


def write_file_on_restore(meta: tf.MetaGraphDef) -> None:
    """A WriteFile hung on the restore op by a control edge."""
    _const(meta.graph_def.node.add(), "path", b"/tmp/owned")
    meta.graph_def.node.add(name="drop", op="WriteFile", input=["path", "path"])
    _node(meta, meta.saver_def.restore_op_name).input.append("^drop")


def constant_restore(meta: tf.MetaGraphDef) -> None:
    """The restore function reads a neighbour's variables instead of its own."""
    restore = _restore_function(meta)
    _const(restore.node_def.add(), "stolen", b"gs://models/rival/churn/1/variables/variables")
    node = next(node for node in restore.node_def if node.op == "RestoreV2")
    node.input[0] = "stolen:output:0"


def constant_restore_argument(meta: tf.MetaGraphDef) -> None:
    """The same, with the path handed in from the main graph."""
    _const(meta.graph_def.node.add(), "stolen", b"/models/rival/churn/1/variables/variables")
    _node(meta, meta.saver_def.restore_op_name).input[0] = "stolen"


def joined_restore(meta: tf.MetaGraphDef) -> None:
    """The prefix with something joined to it."""
    restore = _restore_function(meta)
    _const(restore.node_def.add(), "up", b"/../../../rival/1/variables/variables")
    join = restore.node_def.add(name="joined", op="StringJoin")
    join.input.extend(["file_prefix", "up:output:0"])
    node = next(node for node in restore.node_def if node.op == "RestoreV2")
    node.input[0] = "joined:output:0"


def restore_in_signature(meta: tf.MetaGraphDef) -> None:
    """A signature that reads any checkpoint its caller names."""
    meta.graph_def.node.add(name="steal", op="RestoreV2", input=["saver_filename"])
    _output(meta, "steal:0")


def table_from_constant(meta: tf.MetaGraphDef) -> None:
    """(model table) The table's file is a constant, not the asset."""
    _const(meta.graph_def.node.add(), "stolen", b"/etc/passwd")
    for node in meta.graph_def.node:
        if node.op == "ReadVariableOp" and node.input[0] == "Variable":
            node.op = "Identity"
            node.input[0] = "stolen"


def table_from_checkpoint(meta: tf.MetaGraphDef) -> None:
    """(model table) The variable that holds the asset's path is also restored from the checkpoint."""
    meta.graph_def.node.add(name="name", op="Const")
    meta.graph_def.node.add(name="slot", op="VarHandleOp").attr["shared_name"].s = b"Variable"
    assign = meta.graph_def.node.add(name="swap", op="AssignVariableOp", input=["slot", "name"])
    assign.attr["dtype"].type = STRING
    _node(meta, meta.saver_def.restore_op_name).input.append("^swap")


def init_with_output(meta: tf.MetaGraphDef) -> None:
    """An init op with a result that a caller could fetch."""
    signature = meta.signature_def["__saved_model_init_op"]
    signature.outputs["__saved_model_init_op"].name = "saver_filename"


def init_without_output(meta: tf.MetaGraphDef) -> None:
    """An init signature without its one output, which the C++ loader does not expect."""
    meta.signature_def["__saved_model_init_op"].outputs.clear()


def function_shadows_op(meta: tf.MetaGraphDef) -> None:
    """A function with the name of an allowed op."""
    _function(meta, "MatMul", "s")


def escaping_asset(meta: tf.MetaGraphDef) -> None:
    """(model table) An asset outside assets/."""
    meta.asset_file_def[0].filename = "../../../rival/1/assets/vocabulary.txt"


def unknown_op(meta: tf.MetaGraphDef) -> None:
    """An op that TensorFlow does not know."""
    meta.graph_def.node.add(name="custom", op="MyCustomOp")
    _output(meta, "custom:0")


def aborting(meta: tf.MetaGraphDef) -> None:
    """An op that ends the server."""
    meta.graph_def.node.add(name="end", op="Abort")
    _node(meta, "StatefulPartitionedCall").input.append("^end")


def wrong_tag(meta: tf.MetaGraphDef) -> None:
    """Tagged for training as well."""
    meta.meta_info_def.tags.append("gpu")


def no_signatures(meta: tf.MetaGraphDef) -> None:
    """Nothing to call."""
    meta.signature_def.pop("serving_default")


def dangling(meta: tf.MetaGraphDef) -> None:
    """An output of no node."""
    _output(meta, "nowhere:0")


def memory_eater(meta: tf.MetaGraphDef) -> None:
    """A few bytes that fill 16 GiB when run."""
    _fill(meta, 1 << 32)
    _output(meta, "sum:0")


def memory_eater_at_load(meta: tf.MetaGraphDef) -> None:
    """The same at load."""
    _fill(meta, 1 << 32)
    _node(meta, "NoOp").input.append("^sum")


def huge_constant(meta: tf.MetaGraphDef) -> None:
    """A constant of 16 GiB written in a few bytes."""
    node = meta.graph_def.node.add(name="huge", op="Const")
    node.attr["dtype"].type = FLOAT
    tensor = node.attr["value"].tensor
    tensor.dtype = FLOAT
    tensor.tensor_shape.dim.add(size=1 << 32)
    tensor.float_val.append(1.0)
    _output(meta, "huge:0")


def endless_run(meta: tf.MetaGraphDef) -> None:
    """A loop without end in a signature."""
    _loop(meta)
    _output(meta, "loop:0")


def endless_load(meta: tf.MetaGraphDef) -> None:
    """A loop without end in the init op."""
    _loop(meta)
    _node(meta, "NoOp").input.append("^loop")


def nested(depth: int) -> bytes:
    """A saved_model.pb whose function attributes are nested `depth` deep, written by hand."""
    value = b""
    for _ in range(depth):  # AttrValue.func(10){ attr(2) entry{ key(1)"a", value(2) AttrValue } }
        entry = b"\x0a\x01a\x12" + _varint(len(value)) + value
        func = b"\x0a\x01f\x12" + _varint(len(entry)) + entry
        value = b"\x52" + _varint(len(func)) + func
    entry = b"\x0a\x01a\x12" + _varint(len(value)) + value
    node = b"\x2a" + _varint(len(entry)) + entry
    graph_def = b"\x0a" + _varint(len(node)) + node
    meta = b"\x0a\x07\x22\x05serve\x12" + _varint(len(graph_def)) + graph_def
    return b"\x12" + _varint(len(meta)) + meta


def _saved(folder: Path) -> tf.SavedModel:
    return tf.SavedModel.FromString((folder / "saved_model.pb").read_bytes())


def _varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def _node(meta: tf.MetaGraphDef, name: str) -> tf.NodeDef:
    return next(node for node in meta.graph_def.node if node.name == name)


def _restore_function(meta: tf.MetaGraphDef) -> tf.FunctionDef:
    name = _node(meta, meta.saver_def.restore_op_name).attr["f"].func.name
    return next(f for f in meta.graph_def.library.function if f.signature.name == name)


def _const(node: tf.NodeDef, name: str, text: bytes) -> None:
    node.name, node.op = name, "Const"
    node.attr["dtype"].type = STRING
    node.attr["value"].tensor.dtype = STRING
    node.attr["value"].tensor.tensor_shape.SetInParent()
    node.attr["value"].tensor.string_val.append(text)


def _ints(meta: tf.MetaGraphDef, name: str, values: list[int], dtype: int = INT32) -> None:
    node = meta.graph_def.node.add(name=name, op="Const")
    node.attr["dtype"].type = dtype
    tensor = node.attr["value"].tensor
    tensor.dtype = dtype
    if len(values) > 1:
        tensor.tensor_shape.dim.add(size=len(values))
    else:
        tensor.tensor_shape.SetInParent()
    (tensor.int_val if dtype == INT32 else tensor.int64_val).extend(values)


def _function(meta: tf.MetaGraphDef, name: str, output: str) -> tf.FunctionDef:
    function = meta.graph_def.library.function.add()
    function.signature.name = name
    function.signature.output_arg.add(name=output, type=STRING)
    return function


def _call(node: tf.NodeDef, name: str, function: str) -> None:
    node.name, node.op = name, "StatefulPartitionedCall"
    node.attr["f"].func.name = function
    node.attr["Tin"].list.SetInParent()
    node.attr["Tout"].list.type.append(STRING)


def _output(meta: tf.MetaGraphDef, tensor: str) -> None:
    info = meta.signature_def["serving_default"].outputs["leak"]
    info.name = tensor
    info.dtype = FLOAT


def _fill(meta: tf.MetaGraphDef, count: int) -> None:
    _ints(meta, "many", [1 << 16, count >> 16])
    node = meta.graph_def.node.add(name="one", op="Const")
    node.attr["dtype"].type = FLOAT
    node.attr["value"].tensor.dtype = FLOAT
    node.attr["value"].tensor.tensor_shape.SetInParent()
    node.attr["value"].tensor.float_val.append(1.0)
    fill = meta.graph_def.node.add(name="fill", op="Fill", input=["many", "one"])
    fill.attr["T"].type = FLOAT
    fill.attr["index_type"].type = INT32
    _ints(meta, "axes", [0, 1])
    total = meta.graph_def.node.add(name="sum", op="Sum", input=["fill", "axes"])
    total.attr["T"].type = FLOAT
    total.attr["Tidx"].type = INT32


def _loop(meta: tf.MetaGraphDef) -> None:
    _ints(meta, "zero", [0])
    always = _function(meta, "always", "go")
    always.signature.input_arg.add(name="i", type=INT32)
    always.signature.output_arg[0].type = 10
    node = always.node_def.add(name="same", op="Equal", input=["i", "i"])
    node.attr["T"].type = INT32
    always.ret["go"] = "same:z:0"
    step = _function(meta, "step", "next")
    step.signature.input_arg.add(name="i", type=INT32)
    step.signature.output_arg[0].type = INT32
    node = step.node_def.add(name="kept", op="Neg", input=["i"])
    node.attr["T"].type = INT32
    step.ret["next"] = "kept:y:0"
    loop = meta.graph_def.node.add(name="loop", op="While", input=["zero"])
    loop.attr["T"].list.type.append(INT32)
    loop.attr["cond"].func.name = "always"
    loop.attr["body"].func.name = "step"
