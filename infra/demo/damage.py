"""Versions of a model that no server should ever be asked to load."""

import shutil
from collections.abc import Callable
from pathlib import Path

from berth.protos import tensorflow_pb2 as tf

STRING = 7


def edited(source: Path, into: Path, edit: Callable[[tf.MetaGraphDef], None]) -> Path:
    """Copy a version and edit its graph."""
    shutil.copytree(source, into)
    saved = tf.SavedModel.FromString((into / "saved_model.pb").read_bytes())
    edit(saved.meta_graphs[0])
    (into / "saved_model.pb").write_bytes(saved.SerializeToString())
    return into


def truncated(source: Path, into: Path) -> Path:
    """Copy a version and cut its variables in half."""
    shutil.copytree(source, into)
    shard = next(into.glob("variables/variables.data-*"))
    shard.write_bytes(shard.read_bytes()[: shard.stat().st_size // 2])
    return into


def reads_a_file(meta: tf.MetaGraphDef) -> None:
    """Add an output that reads /etc/passwd."""
    _constant(meta.graph_def.node.add(name="path"), b"/etc/passwd")
    meta.graph_def.node.add(name="leak", op="ReadFile", input=["path"])
    output = meta.signature_def["serving_default"].outputs["leak"]
    output.name, output.dtype = "leak:0", STRING


def restores_a_neighbour(meta: tf.MetaGraphDef) -> None:
    """Let the restore op read another customer's variables."""
    _constant(meta.graph_def.node.add(name="stolen"), b"/models/globex/churn/1/variables/variables")
    restore = next(n for n in meta.graph_def.node if n.name == meta.saver_def.restore_op_name)
    restore.input[0] = "stolen"


def _constant(node: tf.NodeDef, text: bytes) -> None:
    node.op = "Const"
    node.attr["dtype"].type = STRING
    node.attr["value"].tensor.dtype = STRING
    node.attr["value"].tensor.tensor_shape.SetInParent()
    node.attr["value"].tensor.string_val.append(text)
