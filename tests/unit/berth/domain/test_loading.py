"""What may run while a model loads: the same in every load, or it is refused there and only there."""

import hashlib

import pytest

from berth.domain import allowed_ops, loading, op_policy
from tests.support import graph_parts, hostile, hostile_loads, probe_models, races

READS = "reads a variable while a model loads"
UNWAITED = "reads a variable without waiting for its one write"
COMPARES = "compares shapes with what is in the variable"
TWICE = "writes a variable a second time, in either order"
UNTOLD = "writes a variable that cannot be told"
RACES = [
    (hostile_loads.unordered_read, "table", "ReadVariableOp", UNWAITED),
    (hostile_loads.read_of_a_number, "table", "ReadVariableOp", READS),
    (races.read_of_anything, "table", "ReadVariableOp", READS),
    (races.read_of_nothing, "table", "ReadVariableOp", UNWAITED),
    (hostile_loads.second_write, "table", "ReadVariableOp", UNWAITED),
    (races.second_write_of_anything, "table", "ReadVariableOp", UNWAITED),
    (hostile_loads.write_through_identity, "table", "ReadVariableOp", UNWAITED),
    (races.write_through_named_identity, "table", "ReadVariableOp", UNWAITED),
    (races.write_without_inputs, "table", "ReadVariableOp", UNWAITED),
    (races.write_in_function, "table", "ReadVariableOp", UNWAITED),
    (hostile_loads.write_that_compares, "table", "AssignVariableOp", COMPARES),
    (races.write_that_may_compare, "table", "AssignVariableOp", COMPARES),
    (hostile_loads.reference_written_twice, "graph", "Assign", TWICE),
    (races.reference_in_function, "graph", "Assign", UNTOLD),
    (hostile_loads.reference_read, "graph", "Identity", READS),
    (races.reference_assigned_to_another, "graph", "Assign", READS),
    (hostile_loads.reference_of_nothing, "graph", "Assign", UNTOLD),
    (races.reference_without_inputs, "graph", "Assign", UNTOLD),
    (hostile_loads.dice_at_load, "module", "RandomUniformInt", hostile_loads.DICE),
    (hostile_loads.probe_by_path, "table", "StaticRegexFullMatch", hostile_loads.OTHER),
    (hostile_loads.first_load_only, "module", "LookupTableSizeV2", hostile_loads.OTHER),
]
ORDINARY = [
    (hostile_loads.local_variable, "graph"),
    (races.two_references, "graph"),
    (races.reference_waited_for, "graph"),
    (hostile_loads.keyed_table, "module"),
    (races.two_assets, "table"),
    (races.write_of_a_number, "table"),
    (races.write_that_compares_nothing, "table"),
]
HANGS = {"the init op": hostile_loads.on_init, "the restore op": hostile_loads.on_restore}


@pytest.mark.parametrize(("op", "reason"), hostile_loads.AT_LOAD.items())
@pytest.mark.parametrize("path", HANGS)
def test_an_op_that_may_differ_is_refused_at_load(op, reason, path):
    for make in (hostile_loads.running, hostile_loads.running_in_function):
        (found,) = op_policy.judge(hostile.edited(make(op, HANGS[path])))
        assert (found.node, found.op) == ("bad", op)
        assert found.reason == f"{reason}; reached from {path}"


@pytest.mark.parametrize("op", hostile_loads.AT_LOAD)
def test_the_same_op_may_serve_in_a_signature(op):
    meta = hostile.graph()
    meta.graph_def.node.add(name="noise", op=op)
    graph_parts.output(meta, "noise:0")
    assert op_policy.judge(meta) == ()


@pytest.mark.parametrize(("edit", "model", "op", "reason"), RACES)
def test_what_may_come_in_either_order_is_refused(edit, model, op, reason):
    found = [f for f in op_policy.judge(hostile.edited(edit, model)) if f.op == op]
    assert found
    assert found[0].reason == f"{reason}; reached from the init op"


@pytest.mark.parametrize("first", ["bad", "calls"])
def test_a_call_of_a_function_hides_nothing_that_runs_beside_it(first):
    def edit(meta):
        graph_parts.function(meta, "body", "s")
        meta.graph_def.node.add(name="bad", op="RandomUniform")
        meta.graph_def.node.add(name="calls", op="body")
        for name in sorted(("bad", "calls"), key=lambda name: name != first):
            hostile_loads.on_init(meta, name)

    (found,) = op_policy.judge(hostile.edited(edit))
    assert found.node == "bad"


@pytest.mark.parametrize(("edit", "model"), [(e, m) for e, m, *_ in RACES] + ORDINARY)
def test_a_judged_graph_is_as_it_was(edit, model):
    """To ask a message for an attribute that it lacks would add it."""
    meta = hostile.edited(edit, model)
    before = hashlib.sha256(meta.SerializeToString(deterministic=True)).digest()
    op_policy.judge(meta)
    assert hashlib.sha256(meta.SerializeToString(deterministic=True)).digest() == before


@pytest.mark.parametrize(("edit", "model"), ORDINARY)
def test_ordinary_init_ops_pass(edit, model):
    assert op_policy.judge(hostile.edited(edit, model)) == ()


def test_a_write_in_a_function_may_be_of_any_variable():
    def edit(meta):
        body = graph_parts.function(meta, "writes", "s")
        graph_parts.constant(body.node_def.add(), "s", b"text")
        write = body.node_def.add(name="write", op="AssignVariableOp", input=["v", "s:output:0"])
        write.attr["dtype"].type = graph_parts.STRING
        body.ret["s"] = "s:output:0"
        graph_parts.call(meta.graph_def.node.add(), "calls", "writes")
        hostile_loads.on_init(meta, "calls")

    reasons = [found.reason for found in op_policy.judge(hostile.edited(edit, "table"))]
    assert any("without waiting for its one write" in reason for reason in reasons)


def test_nothing_may_run_at_load_that_may_not_serve():
    files = {"RestoreV2", "InitializeTableFromTextFile", "InitializeTableFromTextFileV2"}
    assert not loading.AT_LOAD - allowed_ops.ALLOWED - files


def test_an_op_that_may_not_serve_is_told_once():
    (found,) = op_policy.judge(
        hostile.edited(hostile_loads.running("ReadFile", hostile_loads.on_init))
    )
    assert found.reason == "reads files and may not serve; reached from the init op"


@pytest.mark.parametrize("name", ["augment", "clipped"])
def test_models_with_dice_in_their_signatures_are_among_the_ordinary_ones(name):
    ops = {n.op for f in hostile.graph(name).graph_def.library.function for n in f.node_def}
    assert name in probe_models.NAMES
    assert any("Random" in op or op.startswith("Rng") for op in ops)
