"""MetaGraphs of few names, so that their nodes and functions refer to each other."""

from hypothesis import strategies as st

from berth.protos import tensorflow_pb2 as tf

_NAMES = st.sampled_from(["a", "b", "c", "f", "g", "h", "saver_filename", ""])
_REFS = st.builds(
    lambda mark, name, rest: mark + name + rest,
    *(
        st.sampled_from(["", "", "^"]),
        _NAMES,
        st.sampled_from(["", ":0", ":1", ":output:0", ":x:y:z"]),
    ),
)
_OPS = st.sampled_from(
    [
        *("Const", "Identity", "NoOp", "RestoreV2", "InitializeTableFromTextFileV2", "VarHandleOp"),
        *(
            "AssignVariableOp",
            "ReadVariableOp",
            "PartitionedCall",
            "If",
            "While",
            "Case",
            "ReadFile",
        ),
        *("StringJoin", "f", "g", "h", "Placeholder", "ResourceScatterUpdate", ""),
    ]
)
_FUNCTIONS = st.sampled_from(["f", "g", "h", "none", ""])


@st.composite
def _values(draw):
    value = tf.AttrValue()
    kind = draw(st.sampled_from(["func", "list", "s", "placeholder", "type", "tensor", "nested"]))
    if kind == "func":
        value.func.name = draw(_FUNCTIONS)
    elif kind == "list":
        value.list.func.extend(
            tf.NameAttrList(name=n) for n in draw(st.lists(_FUNCTIONS, max_size=3))
        )
    elif kind == "nested":
        value.func.name = "none"
        value.func.attr["x"].func.name = draw(_FUNCTIONS)
    elif kind == "s":
        value.s = draw(st.sampled_from([b"", b"v", b"\xff", b"same"]))
    elif kind == "placeholder":
        value.placeholder = "f"
    elif kind == "type":
        value.type = draw(st.sampled_from([1, 7, 20, -1]))
    else:
        value.tensor.string_val.append(b"/etc/passwd")
        value.tensor.tensor_shape.dim.add(size=draw(st.sampled_from([-1, 1, 1 << 40])))
    return value


_KEYS = ("f", "then_branch", "body", "branches", "shared_name", "dtype", "T", "value", "x")


@st.composite
def _nodes(draw):
    node = tf.NodeDef(name=draw(_NAMES), op=draw(_OPS), input=draw(st.lists(_REFS, max_size=3)))
    for key in draw(st.lists(st.sampled_from(_KEYS), max_size=2, unique=True)):
        node.attr[key].CopyFrom(draw(_values()))
    return node


@st.composite
def _consistent(draw):
    """A graph whose names are all there, once: what is wrong with it is told by its ops and edges."""
    meta = tf.MetaGraphDef()
    present = ("a", "b", "c", "saver_filename")
    refs = st.builds(str.__add__, st.sampled_from(["", "^"]), st.sampled_from(present))
    for name in present:
        node = draw(_nodes())
        node.name = name
        node.input[:] = draw(st.lists(refs, max_size=3))
        meta.graph_def.node.append(node)
    for name in ("f", "g", "h"):
        function = meta.graph_def.library.function.add()
        function.signature.name = name
        function.signature.input_arg.add(name="arg")
        function.signature.output_arg.add(name="output")
        function.ret["output"] = draw(st.sampled_from(["a:output:0", "b:x:0", "arg", "gone:x:0"]))
        inner = st.sampled_from(["a:output:0", "b:output:0", "arg", "^a", "gone:x:0"])
        for node_name in ("a", "b"):
            node = draw(_nodes())
            node.name = node_name
            node.input[:] = draw(st.lists(inner, max_size=3))
            function.node_def.append(node)
        if draw(st.integers(0, 3)) == 0:
            function.attr["api_implements"].s = b"same"
            function.signature.attr.add(name="f").default_value.CopyFrom(draw(_values()))
    meta.saver_def.filename_tensor_name = "saver_filename:0"
    meta.saver_def.restore_op_name = draw(st.sampled_from(present))
    meta.asset_file_def.add(filename="words").tensor_info.name = draw(st.sampled_from(present))
    meta.signature_def["s"].outputs["o"].name = draw(st.sampled_from(present)) + ":0"
    return meta


@st.composite
def graphs(draw):
    """Any MetaGraph: nodes and functions of few names, so that they refer to each other."""
    meta = tf.MetaGraphDef()
    if draw(st.integers(0, 9)):
        return draw(_consistent())
    unique = {"unique_by": lambda node: node.name} if draw(st.booleans()) else {}
    meta.graph_def.node.extend(draw(st.lists(_nodes(), max_size=8, **unique)))
    for name in draw(st.lists(_FUNCTIONS, max_size=3, unique=bool(unique))):
        function = meta.graph_def.library.function.add()
        function.signature.name = name
        function.signature.input_arg.add(name="a")
        function.signature.output_arg.add(name="output")
        function.ret["output"] = draw(_REFS)
        function.node_def.extend(draw(st.lists(_nodes(), max_size=4, **unique)))
        if draw(st.booleans()):
            function.attr["api_implements"].s = b"same"
            function.signature.attr.add(name="f").default_value.CopyFrom(draw(_values()))
    meta.saver_def.filename_tensor_name = draw(_REFS)
    meta.saver_def.restore_op_name = draw(_NAMES)
    for asset in draw(st.lists(_REFS, max_size=2)):
        meta.asset_file_def.add(filename=draw(st.text(max_size=4))).tensor_info.name = asset
    for name in draw(st.lists(st.sampled_from(["s", "__saved_model_init_op"]), max_size=2)):
        meta.signature_def[name].outputs["o"].name = draw(_REFS)
        meta.signature_def[name].inputs["i"].coo_sparse.values_tensor_name = draw(_REFS)
    if draw(st.booleans()):
        meta.collection_def["legacy_init_op"].node_list.value.append(draw(_REFS))
        packed = meta.collection_def["saved_model_assets"].any_list.value.add()
        packed.value = draw(st.binary(max_size=6))
    return meta
