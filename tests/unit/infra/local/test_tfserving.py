"""The stand-in's rules that need no server: policy, version names, numbers in JSON, flags, parsing."""

import numpy as np
import pytest

from infra.local.tfserving import engine, flags, json_input, json_values, manager, source
from infra.local.tfserving.harness import Harness, Stage
from infra.local.tfserving.status import StatusError


def harness(version, stage, aspired):
    made = Harness("m", version, f"/m/{version}")
    made.stage, made.aspired = stage, aspired
    return made


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        ([], None),
        ([(1, Stage.NEW, True), (2, Stage.NEW, True)], 2),
        ([(1, Stage.READY, False), (2, Stage.NEW, True)], 2),
        ([(1, Stage.READY, False), (2, Stage.LOADING, True)], None),
        ([(1, Stage.READY, False), (2, Stage.ERROR, True)], None),
        ([(1, Stage.READY, False), (2, Stage.READY, True)], 1),
        ([(1, Stage.READY, False)], 1),
        ([(1, Stage.READY, False), (2, Stage.READY, False), (3, Stage.NEW, True)], 1),
        ([(1, Stage.READY, True)], None),
        ([(1, Stage.UNLOADING, False), (2, Stage.READY, True)], None),
    ],
)
def test_availability_preserving_policy(versions, expected):
    chosen = manager.choose([harness(*each) for each in versions])
    assert (chosen and chosen.version) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("3", 3),
        ("00000123", 123),
        (" +7\t", 7),
        ("-1", -1),
        ("v1", None),
        ("1.5", None),
        ("1_000", None),
        ("", None),
        ("٣", None),
        (str(2**63 - 1), 2**63 - 1),
        (str(2**63), None),
    ],
)
def test_version_names(name, expected):
    assert source.number(name) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.2, "0.2"),
        (2.5, "2.5"),
        (3.0, "3.0"),
        (1 / 3, "0.333333343"),
        (9_000_000.0, "9e+06"),
        (16777217.0, "16777216.0"),
        (0.00003, "3e-05"),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
    ],
)
def test_floats_are_printed_as_short_as_they_can_be(value, expected):
    assert json_values.decimal(float(np.float32(value)), single=True) == expected


def test_flags_are_parsed_as_tensorflow_does():
    parsed = flags.parse(["--port=9", "--enable_batching", "--no=1", "word", "--port", "7"])
    assert parsed.number("port") == 9
    assert parsed.on("enable_batching")
    assert parsed.unknown == ["--no=1", "word", "--port", "7"]
    with pytest.raises(flags.BadFlag):
        flags.parse(["--enable_batching=yes"])


def test_only_the_signatures_of_a_metagraph_are_decoded():
    from berth.protos import tensorflow_pb2 as tf

    graph = tf.MetaGraphDef()
    graph.graph_def.node.add(name="n", op="Const")
    graph.signature_def["a"].method_name = "m"
    found = engine.signatures(memoryview(graph.SerializeToString()))
    assert {name: each.method_name for name, each in found.items()} == {"a": "m"}


@pytest.mark.parametrize(
    "body", ["[" * 5000, '{"a":' * 5000, "\ud800".encode("utf-8", "surrogatepass")]
)
def test_hostile_bodies_are_refused(body):
    with pytest.raises(StatusError):
        json_input.parse(body if isinstance(body, bytes) else body.encode())
