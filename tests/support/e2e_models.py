"""Versions that load slowly, made by editing an ordinary one."""

from pathlib import Path

from tests.support import hostile

INT32 = 3


def slow_to_load(into: Path, rounds: int = 800_000) -> Path:
    """A version whose init op counts to `rounds`: some seconds, then it serves like any other."""

    def edit(meta):
        hostile.endless_load(meta)
        for function in meta.graph_def.library.function:
            if function.signature.name == "always":
                _below(function, rounds)
            if function.signature.name == "step":
                _one_more(function)

    return hostile.write(edit, into)


def _below(function, rounds):
    del function.node_def[:]
    _constant(function, "bound", rounds)
    node = function.node_def.add(name="less", op="Less", input=["i", "bound:output:0"])
    node.attr["T"].type = INT32
    function.ret["go"] = "less:z:0"


def _one_more(function):
    del function.node_def[:]
    _constant(function, "one", 1)
    node = function.node_def.add(name="next", op="AddV2", input=["i", "one:output:0"])
    node.attr["T"].type = INT32
    function.ret["next"] = "next:z:0"


def _constant(function, name, value):
    node = function.node_def.add(name=name, op="Const")
    node.attr["dtype"].type = INT32
    node.attr["value"].tensor.dtype = INT32
    node.attr["value"].tensor.tensor_shape.SetInParent()
    node.attr["value"].tensor.int_val.append(value)
