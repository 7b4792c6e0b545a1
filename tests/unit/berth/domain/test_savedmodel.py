"""saved_model.pb: what is picked, what is missing, what is refused; bytes never escape as other errors."""

import contextlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from berth.domain import op_policy, savedmodel, tensor_bundle
from berth.domain.errors import InvalidModel
from berth.domain.manifest import Manifest, ManifestFile
from berth.protos import tensorflow_pb2 as tf
from tests.support import hostile, hostile_bytes, probe_models

SHARD = "variables/variables.data-00000-of-00001"


def raw(name="module"):
    return (probe_models.model(name) / "saved_model.pb").read_bytes()


def saved(edit):
    model = tf.SavedModel.FromString(raw())
    edit(model.meta_graphs[0])
    return model.SerializeToString()


def there(**sizes):
    names = {"shard": SHARD, "index": "variables/variables.index", "asset": "assets/vocabulary.txt"}
    return Manifest(
        files=tuple(
            ManifestFile(name=names[key], generation=1, size=size, crc32c="")
            for key, size in sizes.items()
        )
    )


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (lambda: b"", "empty"),
        (lambda: b"\xff\xff\xff", "does not parse"),
        (lambda: raw()[:-100], "cut short"),
        (lambda: raw() * 10_000, "at most"),
        (lambda: hostile.nested(200), "nested too deeply"),
        (lambda: hostile.nested(20_000), "nested too deeply"),
        (lambda: saved(hostile.wrong_tag), "tagged exactly 'serve'"),
        (lambda: b"\x08\x01", "tagged exactly 'serve'"),
    ],
    ids=["empty", "noise", "cut", "large", "deep", "very-deep", "tags", "no-graphs"],
)
def test_what_is_no_model_is_refused(data, text):
    with pytest.raises(InvalidModel, match=text):
        savedmodel.parse(data(), max_bytes=10 << 20)


def test_nesting_within_bounds_parses():
    assert savedmodel.parse(hostile.nested(5), max_bytes=1 << 20)


def test_a_model_without_signatures_is_refused():
    with pytest.raises(InvalidModel, match="no signature"):
        savedmodel.signatures(hostile.edited(hostile.no_signatures))


def test_signatures_hide_the_init_op():
    found = savedmodel.signatures(hostile.graph())
    assert list(found) == ["serving_default"]
    assert found["serving_default"].inputs["x"].shape == (-1, 2)


def test_an_asset_that_leaves_its_folder_is_refused():
    with pytest.raises(InvalidModel, match="asset name"):
        savedmodel.needs(hostile.edited(hostile.escaping_asset, "table"))


@pytest.mark.parametrize("name", hostile_bytes.ASSET_NAMES)
def test_no_asset_name_leads_elsewhere(name):
    def edit(meta):
        meta.asset_file_def[0].filename = name

    with pytest.raises(InvalidModel, match="asset name"):
        savedmodel.needs(hostile.edited(edit, "table"))


def test_an_asset_declared_twice_is_one_file():
    def edit(meta):
        meta.asset_file_def.add().CopyFrom(meta.asset_file_def[0])

    assert savedmodel.needs(hostile.edited(edit, "table")).assets == ("vocabulary.txt",)


def test_assets_that_do_not_parse_are_refused():
    with pytest.raises(InvalidModel, match="saved_model_assets"):
        savedmodel.needs(hostile.edited(hostile_bytes.damaged_assets))


@pytest.mark.parametrize(
    ("edit", "text"),
    [
        (hostile_bytes.many_signatures, "5001 signatures, at most 100"),
        (hostile_bytes.many_outputs, "too many tensors"),
        (hostile_bytes.no_outputs, "no outputs"),
        (hostile_bytes.many_dimensions, "257 dimensions"),
        (hostile_bytes.long_signature_name, "a name of over 256 characters"),
        (hostile_bytes.long_tensor_name, "a name of over 256 characters"),
        (hostile_bytes.many_dimensions_in_all, "tensors and dimensions in all"),
    ],
)
def test_signatures_are_bounded(edit, text):
    with pytest.raises(InvalidModel, match=text):
        savedmodel.signatures(hostile.edited(edit))


@pytest.mark.parametrize("edit", [hostile.huge_constant, hostile_bytes.huge_constant_in_function])
def test_a_constant_may_not_fill_more_than_the_model_may_have(edit):
    with pytest.raises(InvalidModel, match="the constant 'huge' has the shape"):
        savedmodel.check_constants(hostile.edited(edit), max_bytes=1 << 30)
    savedmodel.check_constants(hostile.edited(edit), max_bytes=1 << 32)


@pytest.mark.parametrize("path", [(2, 2, 1), (2,), (2, 2, 1, 5), (2, 2, 2, 1), (2, 2, 1, 3)])
def test_messages_are_counted_before_they_take_memory(monkeypatch, path):
    """Nodes, graphs, attributes, functions, inputs: two bytes each here, tens of bytes in memory."""
    monkeypatch.setattr(savedmodel, "_UNCOUNTED", 100)
    monkeypatch.setattr(savedmodel, "_MAX_MESSAGES", 1000)
    with pytest.raises(InvalidModel, match="more than 1000 messages and texts"):
        savedmodel.parse(hostile_bytes.bomb(1001, path), max_bytes=1 << 20)
    with pytest.raises(InvalidModel, match="tagged exactly"):
        savedmodel.parse(hostile_bytes.bomb(1000 - len(path) + 1, path), max_bytes=1 << 20)


@pytest.mark.parametrize(
    "data",
    [b"\x12\x05\x12", b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", b"\x13\x14", b"\x0f"],
)
def test_what_cannot_be_counted_does_not_parse(monkeypatch, data):
    monkeypatch.setattr(savedmodel, "_UNCOUNTED", 0)
    with pytest.raises(InvalidModel, match="does not parse"):
        savedmodel.parse(data, max_bytes=1 << 20)


@pytest.mark.parametrize("name", probe_models.NAMES)
def test_ordinary_models_are_counted_to_the_end(monkeypatch, name):
    monkeypatch.setattr(savedmodel, "_UNCOUNTED", 0)
    assert savedmodel.parse(raw(name), max_bytes=1 << 30) == hostile.graph(name)


def test_tensors_nested_in_tensors_are_followed_as_deep_as_they_parse():
    data = tf.SavedModel(meta_graphs=[hostile_bytes.composite(40)]).SerializeToString()
    meta = savedmodel.parse(data, max_bytes=1 << 20)
    with pytest.raises(InvalidModel, match="nowhere"):
        op_policy.judge(meta)


def test_old_models_declare_assets_in_a_collection():
    assert savedmodel.needs(hostile.graph("graph")).assets == ("vocabulary.txt",)


@pytest.mark.parametrize(
    ("files", "missing"),
    [
        ({"index": 1, "shard": 12, "asset": 3}, ()),
        ({"index": 1, "shard": 5, "asset": 3}, (f"{SHARD} (5 of 12 bytes)",)),
        ({"index": 1, "asset": 3}, (SHARD,)),
        ({"index": 1, "shard": 12}, ("assets/vocabulary.txt",)),
    ],
)
def test_what_is_missing_is_named(files, missing):
    needs = savedmodel.Needs(assets=("vocabulary.txt",), variables=True)
    bundle = tensor_bundle.Bundle(tensors=1, shards=(12,))
    assert savedmodel.missing(needs, bundle, there(**files)) == missing


def test_variables_without_their_index_are_missing():
    needs = savedmodel.needs(hostile.graph())
    assert savedmodel.missing(needs, None, there(shard=12)) == ("variables/variables.index",)


def test_a_shard_that_is_too_long_is_refused():
    needs = savedmodel.Needs(assets=(), variables=True)
    bundle = tensor_bundle.Bundle(tensors=1, shards=(12,))
    with pytest.raises(InvalidModel, match="13 bytes"):
        savedmodel.missing(needs, bundle, there(shard=13))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    name=st.sampled_from(["module", "table", "graph", "loops"]),
    edits=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=6),
    cut=st.integers(0, 10**6),
)
def test_any_mutation_is_judged_or_invalid(name, edits, cut):
    data = bytearray(raw(name))
    for position, value in edits:
        data[position % len(data)] = value
    if cut % 4 == 0:
        del data[cut % len(data) :]
    with contextlib.suppress(InvalidModel):
        meta = savedmodel.parse(bytes(data), max_bytes=1 << 20)
        op_policy.judge(meta)
        savedmodel.needs(meta)
        savedmodel.signatures(meta)
