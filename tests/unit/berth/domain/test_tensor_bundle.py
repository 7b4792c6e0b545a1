"""The checkpoint index: what real ones say, and that damage never escapes as anything but InvalidModel."""

import contextlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from berth.domain import tensor_bundle
from berth.domain.errors import InvalidModel
from tests.support import probe_models


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
