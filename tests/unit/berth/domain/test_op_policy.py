"""The op policy on ordinary models, which all pass, and on hostile ones, which name node, op and path."""

import pytest

from berth.domain import op_policy
from berth.domain.errors import InvalidModel
from tests.support import hostile, probe_models


@pytest.mark.parametrize("name", probe_models.NAMES)
def test_ordinary_models_pass(name):
    assert op_policy.judge(hostile.graph(name)) == ()


REFUSED = [
    (hostile.read_file_in_signature, "module", "leak", "ReadFile", "reads files"),
    (hostile.read_file_in_function, "module", "leak", "ReadFile", "signature"),
    (hostile.read_file_in_branch, "module", "leak", "ReadFile", "signature"),
    (hostile.read_file_by_name, "module", "leak", "ReadFile", "signature"),
    (hostile.read_file_in_twin, "module", "leak", "ReadFile", "signature"),
    (hostile.write_file_on_restore, "module", "drop", "WriteFile", "the restore op"),
    (hostile.constant_restore, "module", "RestoreV2", "RestoreV2", "gs://models/rival"),
    (hostile.constant_restore_argument, "module", "RestoreV2", "RestoreV2", "/models/rival"),
    (hostile.joined_restore, "module", "RestoreV2", "RestoreV2", "computed by StringJoin"),
    (hostile.restore_in_signature, "module", "steal", "RestoreV2", "the signature"),
    (hostile.table_from_constant, "table", "InitializeTable", "InitializeTable", "/etc/passwd"),
    (hostile.table_from_checkpoint, "table", "InitializeTable", "InitializeTable", "Const (name)"),
    (hostile.init_with_output, "module", "saver_filename", "Placeholder", "NoOp"),
    (hostile.init_without_output, "module", "__saved", "signature", "one init op"),
    (hostile.function_shadows_op, "module", "MatMul", "MatMul", "name of a function"),
    (hostile.unknown_op, "module", "custom", "MyCustomOp", "not among the ops"),
    (hostile.aborting, "module", "end", "Abort", "ends the server"),
]


@pytest.mark.parametrize(("edit", "model", "node", "op", "reason"), REFUSED)
def test_hostile_models_are_refused(edit, model, node, op, reason):
    violations = op_policy.judge(hostile.edited(edit, model))
    assert violations
    found = violations[0]
    assert node in found.node
    assert op in found.op
    assert reason in found.text()


def test_what_is_not_reached_does_not_count():
    meta = hostile.graph()
    ops = {n.op for f in meta.graph_def.library.function for n in f.node_def}
    assert {"SaveV2", "MergeV2Checkpoints"} <= ops
    meta.graph_def.node.add(name="idle", op="ReadFile")
    assert op_policy.judge(meta) == ()


def test_an_output_of_no_node_is_invalid():
    with pytest.raises(InvalidModel, match="nowhere"):
        op_policy.judge(hostile.edited(hostile.dangling))


def test_a_node_that_stands_twice_is_invalid():
    meta = hostile.graph()
    meta.graph_def.node.add().CopyFrom(meta.graph_def.node[0])
    with pytest.raises(InvalidModel, match="one name"):
        op_policy.judge(meta)


def test_a_call_that_calls_itself_ends():
    def edit(meta):
        hostile.read_file_in_function(meta)
        inner = next(f for f in meta.graph_def.library.function if f.signature.name == "inner")
        inner.node_def.add(name="again", op="inner")

    assert op_policy.judge(hostile.edited(edit))
