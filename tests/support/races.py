"""Writes and reads of variables at load: what may come in either order, and what may not."""

from berth.protos import tensorflow_pb2 as tf
from tests.support import graph_parts
from tests.support.hostile_loads import on_init, second_write, write_through_identity

INIT = "init_all_tables_1"


def _write(meta: tf.MetaGraphDef) -> tf.NodeDef:
    """(model table) The write of the asset's path."""
    return graph_parts.node_named(meta, "Variable/Assign")


def _read(meta: tf.MetaGraphDef) -> tf.NodeDef:
    """(model table) The read that waits for it."""
    return graph_parts.node_named(meta, "ReadVariableOp")


def read_of_anything(meta: tf.MetaGraphDef) -> None:
    """(model table) The read does not say what it reads."""
    del _read(meta).attr["dtype"]


def read_of_nothing(meta: tf.MetaGraphDef) -> None:
    """(model table) The variable that is read is written by nothing."""
    del _read(meta).input[1:]
    graph_parts.node_named(meta, "NoOp").input.remove("^Variable/Assign")


def second_write_of_anything(meta: tf.MetaGraphDef) -> None:
    """(model table) The second write does not say what it writes."""
    second_write(meta)
    del graph_parts.node_named(meta, "twice").attr["dtype"]


def write_through_named_identity(meta: tf.MetaGraphDef) -> None:
    """(model table) The node that gives the variable bears another variable's name."""
    write_through_identity(meta)
    graph_parts.node_named(meta, "alias").attr["shared_name"].s = b"another"


def write_without_inputs(meta: tf.MetaGraphDef) -> None:
    """(model table) A write that does not name its variable."""
    second_write(meta)
    del graph_parts.node_named(meta, "twice").input[:]


def write_in_function(meta: tf.MetaGraphDef) -> None:
    """(model table) A function writes a variable that it calls another."""
    body = graph_parts.function(meta, "writes", "s")
    graph_parts.constant(body.node_def.add(), "s", b"text")
    body.node_def.add(name="v", op="VarHandleOp").attr["shared_name"].s = b"another"
    write = body.node_def.add(name="write", op="AssignVariableOp", input=["v", "s:output:0"])
    write.attr["dtype"].type = graph_parts.STRING
    body.ret["s"] = "s:output:0"
    graph_parts.call(meta.graph_def.node.add(), "calls", "writes")
    on_init(meta, "calls")


def write_that_may_compare(meta: tf.MetaGraphDef) -> None:
    """(model table) A write that leaves to its caller whether it compares."""
    _write(meta).attr["validate_shape"].placeholder = "compares"


def reference(meta: tf.MetaGraphDef, name: str, source: str = "") -> None:
    """(model graph) A variable of the old kind, set by the init op to a constant or to `source`."""
    meta.graph_def.node.add(name=name, op="VariableV2")
    graph_parts.integers(meta, f"{name}/value", [1])
    value = source or f"{name}/value"
    meta.graph_def.node.add(name=f"{name}/set", op="Assign", input=[name, value])
    graph_parts.node_named(meta, INIT).input.append(f"^{name}/set")


def reference_assigned_to_another(meta: tf.MetaGraphDef) -> None:
    """(model graph) One variable is set to what another happens to hold."""
    reference(meta, "one")
    reference(meta, "other", source="one")


def reference_in_function(meta: tf.MetaGraphDef) -> None:
    """(model graph) A function that has a variable of its own and writes it."""
    body = graph_parts.function(meta, "writes", "s")
    graph_parts.constant(body.node_def.add(), "s", b"text")
    body.node_def.add(name="v", op="VariableV2")
    body.node_def.add(name="set", op="Assign", input=["v", "s:output:0"])
    body.ret["s"] = "s:output:0"
    graph_parts.call(meta.graph_def.node.add(), "calls", "writes")
    graph_parts.node_named(meta, INIT).input.append("^calls")


def reference_without_inputs(meta: tf.MetaGraphDef) -> None:
    """(model graph) A write that names no variable."""
    reference(meta, "one")
    del graph_parts.node_named(meta, "one/set").input[:]


def two_references(meta: tf.MetaGraphDef) -> None:
    """(model graph) An ordinary init op that sets two variables of the old kind."""
    reference(meta, "one")
    reference(meta, "other")


def reference_waited_for(meta: tf.MetaGraphDef) -> None:
    """(model graph) What only waits for a variable does not read it."""
    reference(meta, "one")
    graph_parts.node_named(meta, INIT).input.append("^one")


def two_assets(meta: tf.MetaGraphDef) -> None:
    """(model table) An ordinary init op: each of two assets' paths is written once, and read after it."""
    handle = meta.graph_def.node.add(name="second", op="VarHandleOp")
    handle.attr["shared_name"].s = b"second"
    write = meta.graph_def.node.add(name="second/set", op="AssignVariableOp")
    write.input.extend(["second", "asset_path_initializer"])
    read = meta.graph_def.node.add(name="second/get", op="ReadVariableOp")
    read.input.extend(["second", "^second/set"])
    for node in (handle, write, read):
        node.attr["dtype"].type = graph_parts.STRING
    on_init(meta, "second/get")


def write_of_a_number(meta: tf.MetaGraphDef) -> None:
    """(model table) An ordinary init op that sets a counter too."""
    second_write(meta)
    graph_parts.node_named(meta, "twice").attr["dtype"].type = graph_parts.INT32


def write_that_compares_nothing(meta: tf.MetaGraphDef) -> None:
    """(model table) An ordinary write that says what is the default."""
    _write(meta).attr["validate_shape"].b = False
