"""The op policy on ordinary models, which all pass, and on hostile ones, which name node, op and path."""

import pytest

from berth.domain import graph, op_policy
from berth.domain.errors import InvalidModel
from tests.support import hostile, hostile_graphs, probe_models


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
    (hostile_graphs.mutual_recursion, "module", "leak", "ReadFile", "in function inner"),
    (hostile_graphs.carried, "module", "leak", "ReadFile", "in function inner"),
    (hostile_graphs.by_default, "module", "leak", "ReadFile", "in function inner"),
    (hostile_graphs.by_argument, "module", "leak", "ReadFile", "in function inner"),
    (hostile_graphs.overwritten_prefix, "module", "swap", "InplaceUpdate", "other tensors' memory"),
    (
        hostile_graphs.nameless_variable,
        "table",
        "InitializeTable",
        "InitializeTable",
        "VarHandleOp",
    ),
    (
        *(hostile_graphs.variable_named_by_caller, "table", "InitializeTable", "InitializeTable"),
        "/etc/passwd",
    ),
    (hostile_graphs.table_from_input, "table", "fill", "InitializeTable", "not be reached"),
    (hostile_graphs.table_from_joined, "table", "InitializeTable", "InitializeTable", "StringJoin"),
    (hostile_graphs.table_without_path, "table", "InitializeTable", "Initialize", "no file name"),
]
HIDDEN = [
    *(("PartitionedCall", "f"), ("StatefulPartitionedCall", "f"), ("If", "then_branch")),
    *(("If", "else_branch"), ("StatelessIf", "else_branch"), ("While", "cond"), ("While", "body")),
    *(("StatelessWhile", "cond"), ("For", "body"), ("NoOp", "_anything")),
]
INVALID = [
    (hostile_graphs.many_calls, "calls of functions"),
    (hostile_graphs.many_twins, "implement one thing"),
    (hostile_graphs.two_functions_of_one_name, "one name"),
    (hostile_graphs.function_without_name, "one has none"),
    (hostile_graphs.node_twice_in_function, "one name"),
    (hostile.dangling, "nowhere"),
]


@pytest.mark.parametrize(("edit", "model", "node", "op", "reason"), REFUSED)
def test_hostile_models_are_refused(edit, model, node, op, reason):
    violations = op_policy.judge(hostile.edited(edit, model))
    assert violations
    found = violations[0]
    assert node in found.node
    assert op in found.op
    assert reason in found.text()
    assert all(isinstance(violation.function, str) for violation in violations)


@pytest.mark.parametrize(("op", "attribute"), HIDDEN)
def test_no_attribute_hides_a_function(op, attribute):
    (found,) = op_policy.judge(hostile.edited(hostile_graphs.calling(op, attribute)))
    assert (found.node, found.function, found.op) == ("leak", "inner", "ReadFile")


@pytest.mark.parametrize("op", ["Case", "StatelessCase"])
def test_no_list_of_branches_hides_a_function(op):
    edit = hostile_graphs.calling(op, "branches", listed=True)
    (found,) = op_policy.judge(hostile.edited(edit))
    assert (found.node, found.function, found.op) == ("leak", "inner", "ReadFile")


@pytest.mark.parametrize(("op", "reason"), hostile_graphs.FORBIDDEN.items())
def test_an_op_of_each_family_is_refused_by_its_reason(op, reason):
    (found,) = op_policy.judge(hostile.edited(hostile_graphs.forbidden(op)))
    assert (found.node, found.op) == ("bad", op)
    assert reason in found.reason
    assert found.reason.endswith("; reached from the signature")


@pytest.mark.parametrize(("edit", "text"), INVALID)
def test_a_graph_that_makes_no_sense_is_invalid(monkeypatch, edit, text):
    monkeypatch.setattr(graph, "MAX_CALLS", 20_000)
    with pytest.raises(InvalidModel, match=text):
        op_policy.judge(hostile.edited(edit))


def test_gradients_are_not_run():
    """And so the functions named in them are not judged: the child's test shows that it loads."""
    assert op_policy.judge(hostile.edited(hostile_graphs.gradients)) == ()


def test_a_recursion_of_ops_that_may_serve_is_the_childs_to_stop():
    assert op_policy.judge(hostile.edited(hostile_graphs.endless_recursion)) == ()


def test_at_most_twenty_violations_are_told():
    def edit(meta):
        for number in range(30):
            meta.graph_def.node.add(name=f"bad{number}", op="ReadFile")
            meta.signature_def["serving_default"].outputs[f"o{number}"].name = f"bad{number}:0"

    assert len(op_policy.judge(hostile.edited(edit))) == 20


def test_what_is_not_reached_does_not_count():
    meta = hostile.graph()
    ops = {n.op for f in meta.graph_def.library.function for n in f.node_def}
    assert {"SaveV2", "MergeV2Checkpoints"} <= ops
    meta.graph_def.node.add(name="idle", op="ReadFile")
    assert op_policy.judge(meta) == ()


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


@pytest.mark.parametrize(
    ("edit", "model", "text"),
    [
        (
            *(hostile.function_shadows_op, "module"),
            "node MatMul: op MatMul is also the name of a function in the graph",
        ),
        (
            *(hostile.init_with_output, "module"),
            "node saver_filename: op Placeholder is no NoOp, as an init op must be",
        ),
        (
            *(hostile.init_without_output, "module"),
            "node __saved_model_init_op: op signature must name one init op and nothing else",
        ),
        (
            *(hostile.read_file_in_function, "module"),
            "node leak in function inner: op ReadFile reads files and may not serve;"
            " reached from the signature",
        ),
        (
            *(hostile.restore_in_signature, "module"),
            "node steal: op RestoreV2 reads files; it may not be reached from the signature",
        ),
        (
            *(hostile.unknown_op, "module"),
            "node custom: op MyCustomOp is not among the ops that may serve;"
            " reached from the signature",
        ),
    ],
)
def test_a_customer_reads_node_op_and_reason(edit, model, text):
    assert [found.text() for found in op_policy.judge(hostile.edited(edit, model))] == [text]


def test_long_names_are_cut():
    violation = op_policy.Violation("n" * 200, "f" * 200, "o" * 200, "reason")
    assert violation.text() == f"node {'n' * 120} in function {'f' * 120}: op {'o' * 60} reason"


def test_a_path_is_told_with_what_it_should_be():
    (found, *_) = op_policy.judge(hostile.edited(hostile.constant_restore))
    assert found.function.startswith("__inference__traced_restore")
    assert found.reason == (
        "reads the constant path 'gs://models/rival/churn/1/variables/variables' instead of"
        " the checkpoint's own prefix; reached from the restore op"
    )
    (found, *_) = op_policy.judge(hostile.edited(hostile.table_from_constant, "table"))
    assert found.function
    assert found.reason == (
        "reads the constant path '/etc/passwd' instead of a declared asset;"
        " reached from the init op"
    )


def test_a_table_without_a_path_is_told_by_its_node():
    (found,) = op_policy.judge(hostile.edited(hostile_graphs.table_without_path, "table"))
    assert found.node == "text_file_init/InitializeTableFromTextFileV2"
    assert found.function
    assert found.op == "InitializeTableFromTextFileV2"
    assert found.reason == "has no file name"
