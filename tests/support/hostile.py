"""Hostile SavedModels, made by editing the messages of real ones. Each is a function of a fresh copy."""

import shutil
from collections.abc import Callable
from pathlib import Path

from berth.protos import tensorflow_pb2 as tf
from tests.support import graph_parts, probe_models

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
    graph_parts.constant(meta.graph_def.node.add(), "path", b"/etc/passwd")
    meta.graph_def.node.add(name="leak", op="ReadFile", input=["path"])
    graph_parts.output(meta, "leak:0")


def read_file_in_function(meta: tf.MetaGraphDef) -> None:
    """The same, two functions deep."""
    inner = graph_parts.function(meta, "inner", "s")
    graph_parts.constant(inner.node_def.add(), "path", b"/etc/passwd")
    inner.node_def.add(name="leak", op="ReadFile", input=["path:output:0"])
    inner.ret["s"] = "leak:contents:0"
    outer = graph_parts.function(meta, "outer", "s")
    graph_parts.call(outer.node_def.add(), "deep", "inner")
    outer.ret["s"] = "deep:output:0"
    graph_parts.call(meta.graph_def.node.add(), "shallow", "outer")
    graph_parts.output(meta, "shallow:0")


def read_file_in_branch(meta: tf.MetaGraphDef) -> None:
    """The same, in the body of a loop."""
    read_file_in_function(meta)
    meta.signature_def["serving_default"].outputs.pop("leak")
    node = meta.graph_def.node.add(name="loop", op="StatelessWhile")
    node.attr["body"].func.name = "outer"
    graph_parts.output(meta, "loop:0")


def read_file_by_name(meta: tf.MetaGraphDef) -> None:
    """A function called by using its name as the op."""
    read_file_in_function(meta)
    meta.signature_def["serving_default"].outputs.pop("leak")
    meta.graph_def.node.add(name="direct", op="outer")
    graph_parts.output(meta, "direct:0")


def read_file_in_twin(meta: tf.MetaGraphDef) -> None:
    """A function that the optimizer may swap in for the one that is called."""
    read_file_in_function(meta)
    meta.signature_def["serving_default"].outputs.pop("leak")
    harmless = graph_parts.function(meta, "harmless", "s")
    graph_parts.constant(harmless.node_def.add(), "path", b"nothing")
    harmless.ret["s"] = "path:output:0"
    for function in meta.graph_def.library.function:
        if function.signature.name in ("harmless", "outer"):
            function.attr["api_implements"].s = b"same"
    graph_parts.call(meta.graph_def.node.add(), "swap", "harmless")
    graph_parts.output(meta, "swap:0")


def write_file_on_restore(meta: tf.MetaGraphDef) -> None:
    """A WriteFile hung on the restore op by a control edge."""
    graph_parts.constant(meta.graph_def.node.add(), "path", b"/tmp/owned")
    meta.graph_def.node.add(name="drop", op="WriteFile", input=["path", "path"])
    graph_parts.node_named(meta, meta.saver_def.restore_op_name).input.append("^drop")


def constant_restore(meta: tf.MetaGraphDef) -> None:
    """The restore function reads a neighbour's variables instead of its own."""
    restore = graph_parts.restore_function(meta)
    graph_parts.constant(
        restore.node_def.add(), "stolen", b"gs://models/rival/churn/1/variables/variables"
    )
    node = next(node for node in restore.node_def if node.op == "RestoreV2")
    node.input[0] = "stolen:output:0"


def constant_restore_argument(meta: tf.MetaGraphDef) -> None:
    """The same, with the path handed in from the main graph."""
    graph_parts.constant(
        meta.graph_def.node.add(), "stolen", b"/models/rival/churn/1/variables/variables"
    )
    graph_parts.node_named(meta, meta.saver_def.restore_op_name).input[0] = "stolen"


def joined_restore(meta: tf.MetaGraphDef) -> None:
    """The prefix with something joined to it."""
    restore = graph_parts.restore_function(meta)
    graph_parts.constant(restore.node_def.add(), "up", b"/../../../rival/1/variables/variables")
    join = restore.node_def.add(name="joined", op="StringJoin")
    join.input.extend(["file_prefix", "up:output:0"])
    node = next(node for node in restore.node_def if node.op == "RestoreV2")
    node.input[0] = "joined:output:0"


def restore_in_signature(meta: tf.MetaGraphDef) -> None:
    """A signature that reads any checkpoint its caller names."""
    meta.graph_def.node.add(name="steal", op="RestoreV2", input=["saver_filename"])
    graph_parts.output(meta, "steal:0")


def table_from_constant(meta: tf.MetaGraphDef) -> None:
    """(model table) The table's file is a constant, not the asset."""
    graph_parts.constant(meta.graph_def.node.add(), "stolen", b"/etc/passwd")
    for node in meta.graph_def.node:
        if node.op == "ReadVariableOp" and node.input[0] == "Variable":
            node.op = "Identity"
            node.input[0] = "stolen"


def table_from_checkpoint(meta: tf.MetaGraphDef) -> None:
    """(model table) The variable that holds the asset's path is also restored from the checkpoint."""
    meta.graph_def.node.add(name="name", op="Const")
    meta.graph_def.node.add(name="slot", op="VarHandleOp").attr["shared_name"].s = b"Variable"
    assign = meta.graph_def.node.add(name="swap", op="AssignVariableOp", input=["slot", "name"])
    assign.attr["dtype"].type = graph_parts.STRING
    graph_parts.node_named(meta, meta.saver_def.restore_op_name).input.append("^swap")


def init_with_output(meta: tf.MetaGraphDef) -> None:
    """An init op with a result that a caller could fetch."""
    signature = meta.signature_def["__saved_model_init_op"]
    signature.outputs["__saved_model_init_op"].name = "saver_filename"


def init_without_output(meta: tf.MetaGraphDef) -> None:
    """An init signature without its one output, which the C++ loader does not expect."""
    meta.signature_def["__saved_model_init_op"].outputs.clear()


def function_shadows_op(meta: tf.MetaGraphDef) -> None:
    """A function with the name of an allowed op."""
    graph_parts.function(meta, "MatMul", "s")


def escaping_asset(meta: tf.MetaGraphDef) -> None:
    """(model table) An asset outside assets/."""
    meta.asset_file_def[0].filename = "../../../rival/1/assets/vocabulary.txt"


def unknown_op(meta: tf.MetaGraphDef) -> None:
    """An op that TensorFlow does not know."""
    meta.graph_def.node.add(name="custom", op="MyCustomOp")
    graph_parts.output(meta, "custom:0")


def aborting(meta: tf.MetaGraphDef) -> None:
    """An op that ends the server."""
    meta.graph_def.node.add(name="end", op="Abort")
    graph_parts.node_named(meta, "StatefulPartitionedCall").input.append("^end")


def wrong_tag(meta: tf.MetaGraphDef) -> None:
    """Tagged for training as well."""
    meta.meta_info_def.tags.append("gpu")


def no_signatures(meta: tf.MetaGraphDef) -> None:
    """Nothing to call."""
    meta.signature_def.pop("serving_default")


def dangling(meta: tf.MetaGraphDef) -> None:
    """An output of no node."""
    graph_parts.output(meta, "nowhere:0")


def memory_eater(meta: tf.MetaGraphDef) -> None:
    """A few bytes that fill 16 GiB when run."""
    graph_parts.fill(meta, 1 << 32)
    graph_parts.output(meta, "sum:0")


def memory_eater_at_load(meta: tf.MetaGraphDef) -> None:
    """The same at load."""
    graph_parts.fill(meta, 1 << 32)
    graph_parts.node_named(meta, "NoOp").input.append("^sum")


def huge_constant(meta: tf.MetaGraphDef) -> None:
    """A constant of 16 GiB written in a few bytes."""
    node = meta.graph_def.node.add(name="huge", op="Const")
    node.attr["dtype"].type = graph_parts.FLOAT
    tensor = node.attr["value"].tensor
    tensor.dtype = graph_parts.FLOAT
    tensor.tensor_shape.dim.add(size=1 << 32)
    tensor.float_val.append(1.0)
    graph_parts.output(meta, "huge:0")


def endless_run(meta: tf.MetaGraphDef) -> None:
    """A loop without end in a signature."""
    graph_parts.loop(meta)
    graph_parts.output(meta, "loop:0")


def endless_load(meta: tf.MetaGraphDef) -> None:
    """A loop without end in the init op."""
    graph_parts.loop(meta)
    graph_parts.node_named(meta, "NoOp").input.append("^loop")


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
