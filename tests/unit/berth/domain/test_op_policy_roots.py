"""Where the op policy begins to look: every output, input, init op and asset that a model declares."""

import pytest

from berth.domain import op_policy
from berth.domain.errors import InvalidModel
from tests.support import graph_parts, hostile


@pytest.mark.parametrize("part", ["values", "indices", "dense_shape"])
def test_no_part_of_a_sparse_output_hides_an_op(part):
    def edit(meta):
        hostile.read_file_in_signature(meta)
        info = meta.signature_def["serving_default"].outputs["leak"]
        for name in ("values", "indices", "dense_shape"):
            target = "leak:0" if name == part else "saver_filename:0"
            setattr(info.coo_sparse, f"{name}_tensor_name", target)

    (found,) = op_policy.judge(hostile.edited(edit))
    assert found.op == "ReadFile"


def test_no_part_of_a_composite_output_or_an_input_hides_an_op():
    def nested(meta):
        hostile.read_file_in_signature(meta)
        info = meta.signature_def["serving_default"].outputs["leak"]
        info.composite_tensor.components.add().name = "saver_filename:0"
        info.composite_tensor.components.add().composite_tensor.components.add().name = "leak:0"

    def fed(meta):
        hostile.read_file_in_signature(meta)
        leak = meta.signature_def["serving_default"].outputs.pop("leak")
        meta.signature_def["serving_default"].inputs["leak"].CopyFrom(leak)

    for edit in (nested, fed):
        (found,) = op_policy.judge(hostile.edited(edit))
        assert found.op == "ReadFile"


@pytest.mark.parametrize("key", ["saved_model_main_op", "legacy_init_op"])
def test_an_init_op_of_an_old_collection_is_followed(key):
    def edit(meta):
        hostile.read_file_in_signature(meta)
        meta.signature_def["serving_default"].outputs.pop("leak")
        meta.signature_def.pop("__saved_model_init_op", None)
        meta.collection_def[key].node_list.value.append("leak")

    (found,) = op_policy.judge(hostile.edited(edit))
    assert found.reason.endswith("reached from the init op")


def test_an_old_collection_counts_only_where_no_asset_is_declared():
    meta = hostile.graph("table")
    meta.collection_def["saved_model_assets"].any_list.value.add(value=b"\xff")
    assert [asset.filename for asset in op_policy.assets(meta)] == ["vocabulary.txt"]
    del meta.asset_file_def[:]
    with pytest.raises(InvalidModel, match=r"^the collection saved_model_assets does not parse$"):
        op_policy.assets(meta)


def test_what_hangs_on_the_init_signature_is_followed():
    def edit(meta):
        hostile.read_file_in_signature(meta)
        meta.signature_def["serving_default"].outputs.pop("leak")
        name = meta.signature_def["__saved_model_init_op"].outputs["__saved_model_init_op"].name
        node = next(n for n in meta.graph_def.node if n.name == name.split(":")[0])
        node.input.append("^leak")

    (found,) = op_policy.judge(hostile.edited(edit))
    assert found.op == "ReadFile"
    assert found.reason.endswith("reached from the init op")


def test_an_init_signature_of_no_node_is_invalid():
    def edit(meta):
        signature = meta.signature_def["__saved_model_init_op"]
        signature.outputs["__saved_model_init_op"].name = "nowhere"

    with pytest.raises(InvalidModel, match="nowhere"):
        op_policy.judge(hostile.edited(edit))


def test_outputs_of_the_init_signature_that_are_not_there_are_told_as_unknown():
    def edit(meta):
        for number in range(20):
            name = meta.signature_def["__saved_model_init_op"].outputs[f"o{number:02}"]
            name.name = f"nowhere{number:02}"

    first, *others = op_policy.judge(hostile.edited(edit))
    assert first.reason == "must name one init op and nothing else"
    assert "node nowhere00: op ? is no NoOp, as an init op must be" in [v.text() for v in others]


def test_a_table_that_the_restore_op_fills_from_a_declared_asset_passes():
    def edit(meta):
        init = graph_parts.node_named(meta, "NoOp")
        restore = graph_parts.node_named(meta, meta.saver_def.restore_op_name)
        restore.input.extend(init.input)
        del init.input[:]

    assert op_policy.judge(hostile.edited(edit, "table")) == ()


def test_an_output_without_a_name_is_none():
    meta = hostile.graph()
    meta.signature_def["serving_default"].outputs["nothing"].name = ""
    assert op_policy.judge(meta) == ()
