"""REST predict bodies: JSON in row or columnar form to tensors, with the real refusals."""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from berth.protos import tensorflow_pb2 as tf
from infra.local.tfserving import dtypes, json_values
from infra.local.tfserving.status import StatusError, invalid
from infra.local.tfserving.tensors import Tensor

_PARSE_ERRORS = (
    ("Expecting value", "Invalid value."),
    ("Expecting property name", "Missing a name for object member."),
    ("Illegal trailing comma", "Missing a name for object member."),
    ("Expecting ':'", "Missing a colon after a name of object member."),
    ("Expecting ','", "Missing a comma or } after an object member."),
    ("Extra data", "The document root must not be followed by other values."),
    ("Unterminated string", "Missing a closing quotation mark in string."),
    ("Invalid \\escape", "Invalid escape character in string."),
    ("Invalid control", "Invalid encoding in string."),
)


class Body(NamedTuple):
    """A parsed body; `plain` says that no true or false hides in its numbers."""

    document: dict[str, Any]
    plain: bool

    @property
    def signature_name(self) -> str:
        """The signature asked for, or nothing. Raises StatusError."""
        name = self.document.get("signature_name", "")
        if not isinstance(name, str):
            raise invalid(
                f"JSON Value: {json_values.show(self.document)} not formatted correctly. "
                "'signature_name' key must be a string value."
            )
        return name


def parse(content: bytes) -> Body:
    """Parse a body. Raises StatusError."""
    if not content:
        raise invalid("JSON Parse error: The document is empty")
    try:
        document = json.loads(content)
    except json.JSONDecodeError as error:
        text = next((new for old, new in _PARSE_ERRORS if error.msg.startswith(old)), error.msg)
        if error.pos >= len(content.rstrip()) and not content.strip():
            text = "The document is empty."
        raise invalid(f"JSON Parse error: {text} at offset: {error.pos}") from error
    except (UnicodeDecodeError, RecursionError, ValueError) as error:
        raise invalid(f"JSON Parse error: Invalid encoding in string. ({error})") from error
    if not isinstance(document, dict):
        raise invalid(f"JSON Value: {json_values.show(document)} Is not object")
    return Body(document, b"true" not in content and b"false" not in content)


def tensors(body: Body, inputs: Mapping[str, tf.TensorInfo]) -> tuple[dict[str, Tensor], bool]:
    """The input tensors, and whether the body is in row form. Raises StatusError."""
    document = body.document
    if not inputs:
        name = body.signature_name or "DEFAULT"
        raise invalid(f"Failed to get input map for signature: {name}")
    if "instances" not in document and "inputs" not in document:
        raise invalid("Missing 'inputs' or 'instances' key")
    shown = _Lazy(document)
    if "instances" in document and "inputs" in document:
        raise invalid(
            f"JSON Value: {shown} Not formatted correctly expecting only one of 'inputs' or "
            "'instances' keys to exist "
        )
    if "inputs" in document:
        return _columns(document["inputs"], inputs, body.plain), False
    rows = document["instances"]
    if not isinstance(rows, list):
        raise invalid(f"JSON Value: {shown} Excepting 'instances' to be an list/array")
    if not rows:
        raise invalid(f"JSON Value: {shown} No values in 'instances' array")
    return _rows(rows, inputs, body.plain), True


class _Lazy:
    """Prints a document only if the message is needed."""

    def __init__(self, document: object) -> None:
        self._document = document

    def __str__(self) -> str:
        return json_values.show(self._document)


def _columns(
    value: json_values.Json, inputs: Mapping[str, tf.TensorInfo], plain: bool
) -> dict[str, Tensor]:
    if not isinstance(value, dict) or _is_base64(value):
        if len(inputs) > 1:
            raise invalid(
                "inputs is a plain value/list, but expecting an object as multiple input tensors "
                "required as per tensorinfo_map"
            )
        (name,) = inputs
        return {name: _tensor(value, inputs[name].dtype, plain)}
    for name in sorted(inputs):
        if name not in value:
            raise invalid(f"Missing named input: {name} in 'inputs' object.")
    return {name: _tensor(value[name], inputs[name].dtype, plain) for name in sorted(inputs)}


def _rows(rows: list[Any], inputs: Mapping[str, tf.TensorInfo], plain: bool) -> dict[str, Tensor]:
    if not isinstance(rows[0], dict) and len(inputs) > 1:
        raise invalid(
            "instances is a plain list, but expecting list of objects as multiple input tensors "
            "required as per tensorinfo_map"
        )
    if not _is_named(rows[0]):
        (name,) = (next(iter(inputs)),)
        return {name: _batch_of_values(rows, inputs[name].dtype, plain)}
    columns: dict[str, list[Any]] = {name: [] for name in inputs}
    seen: dict[str, Tensor] = {}
    for index, row in enumerate(rows):
        if not _is_named(row):
            raise invalid(f"Expecting object but got list at item {index} of input list")
        for name, value in row.items():
            try:
                _check_item(name, value, inputs, seen)
            except StatusError as error:
                raise invalid(
                    f"Failed to process element: {index} key: {name} of 'instances' list. "
                    f"Error: {error.status}"
                ) from error
            columns[name].append(value)
        if row.keys() != columns.keys():
            raise invalid(
                f"Failed to process element: {index} of 'instances' list. JSON object: "
                f"{json_values.show(row)} keys must be equal to: {','.join(sorted(inputs))}"
            )
    return {name: _slow(column, inputs[name].dtype) for name, column in columns.items()}


def _check_item(
    name: str, value: json_values.Json, inputs: Mapping[str, tf.TensorInfo], seen: dict[str, Tensor]
) -> None:
    if name not in inputs:
        raise invalid(f"JSON object: does not have named input: {name}")
    _same_shape(seen.setdefault(name, _slow(value, inputs[name].dtype)), value, inputs[name].dtype)


def _batch_of_values(rows: list[Any], dtype: int, plain: bool) -> Tensor:
    fast = _fast(rows, dtype) if plain else None
    if fast is not None:
        return fast
    first = None
    for index, row in enumerate(rows):
        if _is_named(row):
            raise invalid(f"Expecting value/list but got object at item {index} of input list")
        try:
            first = first or _slow(row, dtype)
            _same_shape(first, row, dtype)
        except StatusError as error:
            raise invalid(
                f"Failed to process element: {index} of 'instances' list. Error: {error.status}"
            ) from error
    return _slow(rows, dtype)


def _same_shape(first: Tensor, value: json_values.Json, dtype: int) -> None:
    this = _slow(value, dtype)
    if len(first.values) != len(this.values):
        raise invalid(f"Expecting tensor size: {len(first.values)} but got: {len(this.values)}")
    if first.shape != this.shape:
        shapes = ["[" + ",".join(map(str, each.shape)) + "]" for each in (first, this)]
        raise invalid(f"Expecting shape {shapes[0]} but got: {shapes[1]}")


def _tensor(value: json_values.Json, dtype: int, plain: bool) -> Tensor:
    fast = _fast(value, dtype) if plain else None
    return _slow(value, dtype) if fast is None else fast


def _fast(value: json_values.Json, dtype: int) -> Tensor | None:
    """The tensor by numpy, if there is nothing to refuse about it; None sends it the slow way."""
    kind = dtypes.BY_NUMBER.get(dtype)
    if kind is None or kind.name not in json_values.LIMITS:
        return None
    try:
        array = np.array(value)
    except (ValueError, OverflowError):
        return None
    if not json_values.fits(array, kind.name):
        return None
    return Tensor(dtype, array.shape, array.astype(kind.carrier).reshape(-1))


def _slow(value: json_values.Json, dtype: int) -> Tensor:
    shape: list[int] = []
    inner = value
    while isinstance(inner, list):
        shape.append(len(inner))
        if not inner:
            break
        inner = inner[0]
    values: list[Any] = []
    _fill(value, 0, shape, dtype, values)
    if dtype == dtypes.STRING:
        return Tensor(dtype, tuple(shape), values)
    carrier = dtypes.BY_NUMBER[dtype].carrier if dtype in dtypes.BY_NUMBER else "<f4"
    wide = np.array(values, "<i4") if carrier in ("i1", "u1", "<i2") else values
    return Tensor(dtype, tuple(shape), np.array(wide).astype(carrier))


def _fill(
    value: json_values.Json, level: int, shape: list[int], dtype: int, values: list[Any]
) -> None:
    if not isinstance(value, list):
        if level != len(shape):
            raise invalid(
                f"JSON Value: {json_values.show(value)} found at incorrect level: {level + 1} in "
                f"the JSON DOM. Expected at level: {len(shape)}"
            )
        values.append(_leaf(value, dtype))
        return
    if level >= len(shape):
        raise invalid(f"Encountered list at unexpected level: {level} expected < {len(shape)}")
    if len(value) != shape[level]:
        raise invalid(
            f"Encountered list at unexpected size: {len(value)} at level: {level} "
            f"expected size: {shape[level]}"
        )
    for each in value:
        _fill(each, level + 1, shape, dtype, values)


def _leaf(value: json_values.Json, dtype: int) -> json_values.Json:
    if isinstance(value, dict):
        if dtype != dtypes.STRING:
            raise json_values.type_error(value, dtype)
        if not _is_base64(value):
            raise invalid(
                f"JSON Value: {json_values.show(value)} not formatted correctly for base64 data"
            )
        try:
            return base64.b64decode(value["b64"] + "=" * (-len(value["b64"]) % 4), validate=True)
        except (binascii.Error, ValueError) as error:
            raise invalid("Unable to base64 decode") from error
    return json_values.leaf(value, dtype)


def _is_base64(value: json_values.Json) -> bool:
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get("b64"), str)


def _is_named(value: json_values.Json) -> bool:
    return isinstance(value, dict) and not _is_base64(value)
