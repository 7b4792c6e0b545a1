"""REST: the forms of predict, paths, exact errors and their HTTP codes."""

import json
import math

import pytest

from tests.support.model_server import outcome


@pytest.mark.parametrize(
    ("name", "body", "expected"),
    [
        ("half_plus_two", {"instances": [1, 2, 5]}, {"predictions": [2.5, 3.0, 4.5]}),
        ("half_plus_two", {"inputs": [1, 2, 5]}, {"outputs": [2.5, 3.0, 4.5]}),
        ("half_plus_two", {"inputs": {"x": [1]}}, {"outputs": [2.5]}),
        ("half_plus_two", {"instances": [{"x": 1}, {"x": 2}]}, {"predictions": [2.5, 3.0]}),
        ("half_plus_two", {"instances": [1], "signature_name": ""}, {"predictions": [2.5]}),
        ("half_plus_two", {"inputs": []}, {"outputs": []}),
        (
            "matmul",
            {"inputs": {"a": [[1, 2]], "b": [[3], [4]]}},
            {"outputs": [[11.0]]},
        ),
        (
            "two_outputs",
            {"instances": [1, 2], "signature_name": "batched"},
            {"predictions": [{"twice": 2.0, "pair": [1, 1]}, {"twice": 4.0, "pair": [2, 2]}]},
        ),
        (
            "two_outputs",
            {"inputs": [1, 2]},
            {"outputs": {"batch": [2.0, 3.0], "total": 3.0}},
        ),
        ("add_one_int64", {"instances": [2**53 + 2]}, {"predictions": [2**53 + 3]}),
        (
            "echo",
            {"instances": ["é", {"b64": "YWI="}]},
            {
                "predictions": [
                    {"text": "é", "raw_bytes": {"b64": "w6k="}},
                    {"text": "ab", "raw_bytes": {"b64": "YWI="}},
                ]
            },
        ),
        ("lookup", {"instances": ["two", "none"]}, {"predictions": [2, -1]}),
    ],
)
def test_predict(standard, name, body, expected):
    answer = standard.predict(name, body)
    assert (answer.code, answer.json()) == (200, expected)
    assert answer.headers["Content-Type"] == "application/json"


def test_numbers_that_json_does_not_have(standard):
    body = '{"instances": [NaN, Infinity, -Infinity, 0.2, 0.3333333, 2e10]}'
    answer = standard.predict("half_plus_two", body)
    # Six digits where they suffice for a float, nine where they do not.
    assert b"NaN, Infinity, -Infinity, 2.1, 2.16666675, 1e+10\n" in answer.body
    values = json.loads(answer.body)["predictions"]
    assert math.isnan(values[0])


LOSSY = "Cannot convert JSON value: {} to float without loss of precision."


@pytest.mark.parametrize(
    ("name", "body", "code", "message"),
    [
        ("m", "", 400, "JSON Parse error: The document is empty"),
        (
            "half_plus_two",
            "{",
            400,
            "JSON Parse error: Missing a name for object member. at offset: 1",
        ),
        ("half_plus_two", "[1]", 400, "JSON Value: [\n    1\n] Is not object"),
        ("half_plus_two", {}, 400, "Missing 'inputs' or 'instances' key"),
        ("m", {"instances": [1]}, 404, "Servable not found for request: Latest(m)"),
        (
            "half_plus_two/versions/9",
            {"instances": [1]},
            404,
            "Servable not found for request: Specific(half_plus_two, 9)",
        ),
        (
            "half_plus_two/labels/l",
            {"instances": [1]},
            400,
            "Unrecognized servable version label: l",
        ),
        (
            "half_plus_two",
            {"instances": [1], "signature_name": "s"},
            400,
            'Serving signature name: "s" not found in signature def',
        ),
        (
            "half_plus_two",
            {"signature_name": 1},
            400,
            'JSON Value: {\n    "signature_name": 1\n} not formatted correctly. '
            "'signature_name' key must be a string value.",
        ),
        (
            "half_plus_two",
            {"instances": 1},
            400,
            "JSON Value: {\n    \"instances\": 1\n} Excepting 'instances' to be an list/array",
        ),
        (
            "half_plus_two",
            '{"instances": [], "x": 1}',
            400,
            'JSON Value: {\n    "instances": [],\n    "x": 1\n} No values in \'instances\' array',
        ),
        (
            "half_plus_two",
            {"instances": [1], "inputs": 1},
            400,
            'JSON Value: {\n    "instances": [\n        1\n    ],\n    "inputs": 1\n} Not formatted '
            "correctly expecting only one of 'inputs' or 'instances' keys to exist ",
        ),
        (
            "half_plus_two",
            {"inputs": ["x"]},
            400,
            'JSON Value: "x" Type: String is not of expected type: float',
        ),
        (
            "half_plus_two",
            {"inputs": [True]},
            400,
            "JSON Value: true Type: True is not of expected type: float",
        ),
        ("half_plus_two", {"inputs": [16777217]}, 400, LOSSY.format(16777217)),
        ("half_plus_two", {"inputs": [1e39]}, 400, LOSSY.format("1e+39")),
        (
            "add_one_int64",
            {"inputs": [1.0]},
            400,
            "JSON Value: 1.0 Type: Number is not of expected type: int64",
        ),
        (
            "half_plus_two",
            {"inputs": [[1, 2], [3]]},
            400,
            "Encountered list at unexpected size: 1 at level: 1 expected size: 2",
        ),
        (
            "half_plus_two",
            {"instances": [[1, 2], [3]]},
            400,
            "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: "
            "Expecting tensor size: 2 but got: 1",
        ),
        (
            "half_plus_two",
            {"instances": [1, {"x": 2}]},
            400,
            "Expecting value/list but got object at item 1 of input list",
        ),
        (
            "half_plus_two",
            {"instances": [{"x": 1}, 2]},
            400,
            "Expecting object but got list at item 1 of input list",
        ),
        (
            "half_plus_two",
            {"instances": [{"z": 1}]},
            400,
            "Failed to process element: 0 key: z of 'instances' list. Error: INVALID_ARGUMENT: "
            "JSON object: does not have named input: z",
        ),
        (
            "matmul",
            {"instances": [{"a": [1]}]},
            400,
            "Failed to process element: 0 of 'instances' list. JSON object: "
            '{\n    "a": [\n        1\n    ]\n} keys must be equal to: a,b',
        ),
        (
            "matmul",
            {"instances": [1]},
            400,
            "instances is a plain list, but expecting list of objects as multiple input tensors "
            "required as per tensorinfo_map",
        ),
        (
            "matmul",
            {"inputs": 1},
            400,
            "inputs is a plain value/list, but expecting an object as multiple input tensors "
            "required as per tensorinfo_map",
        ),
        ("matmul", {"inputs": {"a": [[1]]}}, 400, "Missing named input: b in 'inputs' object."),
        (
            "two_outputs",
            {"instances": [1, 2]},
            400,
            "Tensor name: total has no shape information ",
        ),
        ("echo", {"inputs": [{"b64": "?"}]}, 400, "Unable to base64 decode"),
        (
            "echo",
            {"inputs": [{"c64": "?"}]},
            400,
            'JSON Value: {\n    "c64": "?"\n} not formatted correctly for base64 data',
        ),
    ],
)
def test_refusals(standard, name, body, code, message):
    assert outcome(standard.predict(name, body)) == (code, message)


def test_batches_of_different_sizes(standard):
    answer = standard.predict("two_outputs", {"instances": [1, 2], "signature_name": "uneven"})
    code, message = outcome(answer)
    assert code == 400
    assert "has inconsistent batch size: " in message


TYPES = [
    *("float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32"),
    *("uint64", "bool", "string", "float16", "bfloat16", "complex64", "complex128"),
]


def test_types_that_json_has_no_form_for(standard):
    body = {
        "inputs": {f"in_{name}": [1] for name in TYPES} | {"in_bool": [True], "in_string": ["s"]}
    }
    code, message = outcome(standard.predict("many_types", body))
    assert code == 501
    assert message.startswith("Conversion of JSON Value: 1 to type: ")


def test_a_run_that_takes_too_long(standard):
    code, message = outcome(standard.predict("slow", {"inputs": 2**40}))
    assert code == 504
    assert message
