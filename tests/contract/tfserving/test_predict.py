"""gRPC Predict: versions, tensors of every type, and the exact refusals."""

import struct

import grpc
import pytest

from berth.protos import tensorflow_pb2 as tf
from berth.protos import tfserving_pb2 as pb
from tests.support.model_server import refused


def tensor(dtype, shape, **values):
    dims = [tf.TensorShape.Dim(size=size) for size in shape]
    return tf.Tensor(dtype=dtype, tensor_shape=tf.TensorShape(dim=dims), **values)


def floats(*values):
    return tensor(1, [len(values)], float_val=values)


def request(name, inputs, outputs=(), **spec):
    return pb.PredictRequest(
        model_spec=pb.ModelSpec(name=name, **spec), inputs=inputs, output_filter=outputs
    )


def test_an_answer_names_model_version_and_signature(standard):
    answer = standard.call("Predict", request("half_plus_two", {"x": floats(1, 2, 5)}))
    assert answer.model_spec == pb.ModelSpec(
        name="half_plus_two", version={"value": 1}, signature_name="serving_default"
    )
    assert answer.outputs["y"] == floats(2.5, 3, 4.5)


def test_by_version_label_and_signature(standard):
    asked = request("labelled", {"x": floats(2)}, version_label="stable")
    assert standard.call("Predict", asked).outputs["y"] == floats(3)
    asked = request("two_outputs", {"x": floats(2)}, version={"value": 1}, signature_name="batched")
    answer = standard.call("Predict", asked)
    assert answer.model_spec.signature_name == "batched"
    assert answer.outputs["pair"] == tensor(1, [1, 2], float_val=[2, 2])


def test_output_filter(standard):
    asked = request("two_outputs", {"x": floats(1, 2)}, ["total"])
    assert dict(standard.call("Predict", asked).outputs) == {"total": tensor(1, [], float_val=[3])}


X = {"x": floats(1)}


@pytest.mark.parametrize(
    ("asked", "code", "message"),
    [
        (pb.PredictRequest(), "INVALID_ARGUMENT", "Missing ModelSpec"),
        (request("", X), "INVALID_ARGUMENT", "ModelSpec has no name specified."),
        (request("x", X), "NOT_FOUND", "Servable not found for request: Latest(x)"),
        (
            request("matmul", X, version={"value": 8}),
            "NOT_FOUND",
            "Servable not found for request: Specific(matmul, 8)",
        ),
        (
            request("dangling", X, version_label="next"),
            "NOT_FOUND",
            "Servable not found for request: Specific(dangling, 2)",
        ),
        (
            request("matmul", X, version_label="l"),
            "INVALID_ARGUMENT",
            "Unrecognized servable version label: l",
        ),
        (
            request("matmul", X, signature_name="s"),
            "FAILED_PRECONDITION",
            'Serving signature key "s" not found.',
        ),
        (
            request("matmul", {"a": floats(1), "b": floats(1), "c": floats(1)}),
            "INVALID_ARGUMENT",
            "input size does not match signature: 3!=2 len({a,b,c}) != len({a,b}). "
            "Sent extra: {c}. Missing but required: {}.",
        ),
        (
            request("matmul", {"c": floats(1)}),
            "INVALID_ARGUMENT",
            "input size does not match signature: 1!=2 len({c}) != len({a,b}). "
            "Sent extra: {c}. Missing but required: {a,b}.",
        ),
        (
            request("half_plus_two", X, ["z"]),
            "INVALID_ARGUMENT",
            "output tensor alias not found in signature: z Outputs expected to be in the set {y}.",
        ),
        (
            request("half_plus_two", X, ["y", "y"]),
            "INVALID_ARGUMENT",
            "duplicate output tensor alias: y",
        ),
        (
            request("half_plus_two", {"x": tensor(0, [1])}),
            "INVALID_ARGUMENT",
            "tensor parsing error: x",
        ),
        (
            request("half_plus_two", {"x": tensor(1, [2], tensor_content=b"1234")}),
            "INVALID_ARGUMENT",
            "tensor parsing error: x",
        ),
        (
            request("half_plus_two", {"x": tensor(1, [-1], float_val=[1])}),
            "INVALID_ARGUMENT",
            "tensor parsing error: x",
        ),
    ],
)
def test_refusals(standard, asked, code, message):
    assert refused(standard.call, "Predict", asked) == (code, message)


def test_a_wrong_name_among_the_right_number(standard):
    code, message = refused(standard.call, "Predict", request("half_plus_two", {"z": floats(1)}))
    assert code == "INVALID_ARGUMENT"
    assert message.startswith("Signature input alias: x(feed name: serving_default_x:0) not found")


def test_what_tensorflow_itself_refuses(standard):
    wrong_type = request("half_plus_two", {"x": tensor(9, [1], int64_val=[1])})
    code, message = refused(standard.call, "Predict", wrong_type)
    assert code == "INVALID_ARGUMENT"
    assert "Expects arg[0] to be float but int64 is provided" in message
    pair = {"a": tensor(1, [2, 10], float_val=[1]), "b": tensor(1, [3, 4], float_val=[1])}
    code, message = refused(standard.call, "Predict", request("matmul", pair))
    assert code == "INVALID_ARGUMENT"
    assert "Matrix size-incompatible: In[0]: [2,10], In[1]: [3,4]" in message


TYPES = {
    "float32": (1, "float_val", [1.5, -2.0]),
    "float64": (2, "double_val", [1.5, -2.0]),
    "int32": (3, "int_val", [1, -2]),
    "uint8": (4, "int_val", [1, 255]),
    "int16": (5, "int_val", [1, -2]),
    "int8": (6, "int_val", [1, -2]),
    "string": (7, "string_val", [b"short", b"long" * 20]),
    "complex64": (8, "scomplex_val", [1.0, 2.0, 3.0, 4.0]),
    "int64": (9, "int64_val", [1, -(2**62)]),
    "bool": (10, "bool_val", [True, False]),
    "bfloat16": (14, "half_val", [16256, 49152]),
    "uint16": (17, "int_val", [1, 65535]),
    "complex128": (18, "dcomplex_val", [1.0, 2.0, 3.0, 4.0]),
    "float16": (19, "half_val", [15360, 49152]),
    "uint32": (22, "uint32_val", [1, 2**32 - 1]),
    "uint64": (23, "uint64_val", [1, 2**64 - 1]),
}


def test_every_type_goes_through_unchanged(standard):
    inputs = {
        f"in_{name}": tensor(number, [2], **{field: values})
        for name, (number, field, values) in TYPES.items()
    }
    # The signature has keyword names; the exporter names the arguments in order.
    answer = standard.call("Predict", request("many_types", inputs))
    for name in TYPES:
        assert answer.outputs[f"out_{name}"] == inputs[f"in_{name}"], name


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (tensor(1, [3], float_val=[1, 2]), [2.5, 3, 3]),
        (tensor(1, [3]), [2, 2, 2]),
        (tensor(1, [1], float_val=[1, 2, 3]), [2.5]),
        (tensor(1, [2], tensor_content=struct.pack("<2f", 1, 2)), [2.5, 3]),
        (tensor(1, [0]), []),
    ],
    ids=["last repeated", "zeros", "too many", "content", "none"],
)
def test_short_and_packed_tensors(standard, given, expected):
    answer = standard.call("Predict", request("half_plus_two", {"x": given}))
    assert answer.outputs["y"] == floats(*expected)


def test_packed_strings(standard):
    given = tensor(7, [2], tensor_content=b"\x02\x03" + b"ab" + b"cde")
    answer = standard.call("Predict", request("echo", {"text": given}))
    assert list(answer.outputs["text"].string_val) == [b"ab", b"cde"]


def test_assets_are_found(standard):
    words = tensor(7, [3], string_val=[b"two", b"zero", b"none"])
    answer = standard.call("Predict", request("lookup", {"word": words}))
    assert list(answer.outputs["index"].int64_val) == [2, 0, -1]


def test_tensor_content_in_answers_with_the_flag(start):
    from tests.support import models
    from tests.support.model_server import config

    server = start(
        models=config(("m", models.model("half_plus_two"))),
        enable_serialization_as_tensor_content=True,
    ).ready()
    answer = server.call("Predict", request("m", {"x": floats(2)}))
    assert answer.outputs["y"] == tensor(1, [1], tensor_content=struct.pack("<f", 3))


def test_the_clients_deadline_stops_the_run(standard):
    endless = request("slow", {"rounds": tensor(9, [], int64_val=[2**40])})
    assert refused(standard.call, "Predict", endless, 0.3)[0] == "DEADLINE_EXCEEDED"
    # Nothing keeps running: the same model answers at once.
    quick = request("slow", {"rounds": tensor(9, [], int64_val=[3])})
    assert list(standard.call("Predict", quick, 2).outputs["done"].int64_val) == [3]


@pytest.mark.parametrize("method", ["Classify", "Regress", "MultiInference"])
def test_what_is_not_implemented_is_said(standard, method):
    with pytest.raises(grpc.RpcError) as caught:
        standard.stub("PredictionService", method)(b"", timeout=5)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert method in caught.value.details()
