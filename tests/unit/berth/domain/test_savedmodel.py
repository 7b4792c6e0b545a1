"""saved_model.pb: what is picked, what is missing, what is refused; bytes never escape as other errors."""

import contextlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from berth.domain import op_policy, savedmodel, tensor_bundle
from berth.domain.errors import InvalidModel
from berth.domain.manifest import Manifest, ManifestFile
from berth.protos import tensorflow_pb2 as tf
from tests.support import hostile, probe_models

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
    bundle = tensor_bundle.Bundle(tensors=("w",), shards=(12,))
    assert savedmodel.missing(needs, bundle, there(**files)) == missing


def test_variables_without_their_index_are_missing():
    needs = savedmodel.needs(hostile.graph())
    assert savedmodel.missing(needs, None, there(shard=12)) == ("variables/variables.index",)


def test_a_shard_that_is_too_long_is_refused():
    needs = savedmodel.Needs(assets=(), variables=True)
    bundle = tensor_bundle.Bundle(tensors=("w",), shards=(12,))
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
