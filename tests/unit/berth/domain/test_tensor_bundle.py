"""The checkpoint index: what real ones say, and that damage never escapes as anything but InvalidModel."""

import contextlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from berth.domain import tensor_bundle
from berth.domain.errors import InvalidModel
from tests.support import hostile_bytes, probe_models


def index(name="dense"):
    return (probe_models.model(name) / "variables" / "variables.index").read_bytes()


@pytest.mark.parametrize("name", probe_models.NAMES)
def test_sizes_are_those_on_disk(name):
    folder = probe_models.model(name)
    bundle = tensor_bundle.parse(index(name))
    assert bundle.files()
    for file, size in bundle.files().items():
        assert (folder / file).stat().st_size == size


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (lambda data: b"", "too short"),
        (lambda data: data[:-1], "cut short"),
        (lambda data: data[: len(data) // 2], "cut short"),
        (lambda data: b"\xff" * (len(data) - 48) + data[-48:], "."),
        (lambda data: data[:-48] + b"\xff" * 40 + data[-8:], "length"),
        (lambda data: data[-48:], "outside"),
    ],
)
def test_damage_is_named(damage, text):
    with pytest.raises(InvalidModel, match=text):
        tensor_bundle.parse(damage(index()))


@pytest.mark.parametrize(
    ("build", "text"), hostile_bytes.INDEXES.values(), ids=list(hostile_bytes.INDEXES)
)
def test_an_index_made_to_mislead_is_refused(build, text):
    with pytest.raises(InvalidModel, match=text):
        tensor_bundle.parse(build())


def test_an_index_made_by_hand_is_read():
    entries = [hostile_bytes.entry(b"a", offset=4, size=8), hostile_bytes.entry(b"b", shard_id=1)]
    first = hostile_bytes.block([hostile_bytes.header(num_shards=2), entries[0]])
    read = tensor_bundle.parse(hostile_bytes.table(first, hostile_bytes.block(entries[1:])))
    assert (read.tensors, read.shards) == (2, (12, 0))


def test_entries_are_bounded(monkeypatch):
    monkeypatch.setattr(tensor_bundle, "_MAX_ENTRIES", 100)
    keys = (number.to_bytes(2, "big") for number in range(1, 101))
    body = hostile_bytes.block([hostile_bytes.header(), *((key, b"") for key in keys)])
    with pytest.raises(InvalidModel, match="more than 100 entries"):
        tensor_bundle.parse(hostile_bytes.table(body))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    edits=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=8)
)
def test_any_mutation_parses_or_is_invalid(edits):
    data = bytearray(index())
    for position, value in edits:
        data[position % len(data)] = value
    with contextlib.suppress(InvalidModel):
        tensor_bundle.parse(bytes(data))
