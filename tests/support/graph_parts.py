"""Pieces of TensorFlow graphs, written straight into the messages of a SavedModel."""

from berth.protos import tensorflow_pb2 as tf

FLOAT, INT32, STRING = 1, 3, 7


def node_named(meta: tf.MetaGraphDef, name: str) -> tf.NodeDef:
    """The node of the main graph with a name."""
    return next(node for node in meta.graph_def.node if node.name == name)


def restore_function(meta: tf.MetaGraphDef) -> tf.FunctionDef:
    """The function that restores the variables."""
    name = node_named(meta, meta.saver_def.restore_op_name).attr["f"].func.name
    return next(f for f in meta.graph_def.library.function if f.signature.name == name)


def constant(node: tf.NodeDef, name: str, text: bytes) -> None:
    """Make a node a constant string."""
    node.name, node.op = name, "Const"
    node.attr["dtype"].type = STRING
    node.attr["value"].tensor.dtype = STRING
    node.attr["value"].tensor.tensor_shape.SetInParent()
    node.attr["value"].tensor.string_val.append(text)


def integers(meta: tf.MetaGraphDef, name: str, values: list[int], dtype: int = INT32) -> None:
    """Add a constant of integers to the main graph."""
    node = meta.graph_def.node.add(name=name, op="Const")
    node.attr["dtype"].type = dtype
    tensor = node.attr["value"].tensor
    tensor.dtype = dtype
    if len(values) > 1:
        tensor.tensor_shape.dim.add(size=len(values))
    else:
        tensor.tensor_shape.SetInParent()
    (tensor.int_val if dtype == INT32 else tensor.int64_val).extend(values)


def function(meta: tf.MetaGraphDef, name: str, output: str) -> tf.FunctionDef:
    """Add a function without nodes that gives one string."""
    function = meta.graph_def.library.function.add()
    function.signature.name = name
    function.signature.output_arg.add(name=output, type=STRING)
    return function


def call(node: tf.NodeDef, name: str, function: str) -> None:
    """Make a node a call of a function that gives one string."""
    node.name, node.op = name, "StatefulPartitionedCall"
    node.attr["f"].func.name = function
    node.attr["Tin"].list.SetInParent()
    node.attr["Tout"].list.type.append(STRING)


def output(meta: tf.MetaGraphDef, tensor: str) -> None:
    """Add an output to the signature: a tensor of the main graph."""
    info = meta.signature_def["serving_default"].outputs["leak"]
    info.name = tensor
    info.dtype = FLOAT


def fill(meta: tf.MetaGraphDef, count: int) -> None:
    """Add "sum", which fills a tensor of `count` floats (a multiple of 65536) when it runs."""
    integers(meta, "many", [1 << 16, count >> 16])
    node = meta.graph_def.node.add(name="one", op="Const")
    node.attr["dtype"].type = FLOAT
    node.attr["value"].tensor.dtype = FLOAT
    node.attr["value"].tensor.tensor_shape.SetInParent()
    node.attr["value"].tensor.float_val.append(1.0)
    fill = meta.graph_def.node.add(name="fill", op="Fill", input=["many", "one"])
    fill.attr["T"].type = FLOAT
    fill.attr["index_type"].type = INT32
    integers(meta, "axes", [0, 1])
    total = meta.graph_def.node.add(name="sum", op="Sum", input=["fill", "axes"])
    total.attr["T"].type = FLOAT
    total.attr["Tidx"].type = INT32


def loop(meta: tf.MetaGraphDef) -> None:
    """Add "loop", which never ends when it runs."""
    integers(meta, "zero", [0])
    always = function(meta, "always", "go")
    always.signature.input_arg.add(name="i", type=INT32)
    always.signature.output_arg[0].type = 10
    node = always.node_def.add(name="same", op="Equal", input=["i", "i"])
    node.attr["T"].type = INT32
    always.ret["go"] = "same:z:0"
    step = function(meta, "step", "next")
    step.signature.input_arg.add(name="i", type=INT32)
    step.signature.output_arg[0].type = INT32
    node = step.node_def.add(name="kept", op="Neg", input=["i"])
    node.attr["T"].type = INT32
    step.ret["next"] = "kept:y:0"
    loop = meta.graph_def.node.add(name="loop", op="While", input=["zero"])
    loop.attr["T"].list.type.append(INT32)
    loop.attr["cond"].func.name = "always"
    loop.attr["body"].func.name = "step"
