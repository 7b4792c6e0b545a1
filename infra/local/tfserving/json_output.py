"""REST answers: tensors as JSON in row or columnar form, laid out as rapidjson does."""

import json
from collections.abc import Iterator, Mapping

from infra.local.tfserving import dtypes, json_values
from infra.local.tfserving.status import invalid
from infra.local.tfserving.tensors import Tensor


def error(message: str) -> bytes:
    """The one form of all errors."""
    return f'{{\n    "error": {json.dumps(message, ensure_ascii=False)}\n}}'.encode(
        "utf-8", "replace"
    )


def rows(outputs: Mapping[str, Tensor]) -> bytes:
    """`{"predictions": [...]}`. Raises StatusError if the outputs are not batches of one size."""
    size = _batch_size(outputs)
    values = {name: _values(name, tensor) for name, tensor in outputs.items()}
    cells = {
        name: [_one_line(values[name], tensor.shape[1:]) for _ in range(size)]
        for name, tensor in outputs.items()
    }
    if len(outputs) == 1:
        (only,) = cells.values()
        listed = ", ".join(only)
        body = f"[{listed}\n    ]" if size else "[]"
    else:
        objects = [
            "        {\n"
            + ",\n".join(f"            {json.dumps(name)}: {cells[name][row]}" for name in cells)
            + "\n        }"
            for row in range(size)
        ]
        body = "[\n" + ",\n".join(objects) + "\n    ]" if size else "[]"
    return f'{{\n    "predictions": {body}\n}}'.encode()


def columns(outputs: Mapping[str, Tensor]) -> bytes:
    """`{"outputs": ...}`: the bare value of a single output, an object of several."""
    if len(outputs) == 1:
        ((name, tensor),) = outputs.items()
        body = _indented(_values(name, tensor), tensor.shape, 1)
    else:
        members = [
            f"        {json.dumps(name)}: {_indented(_values(name, tensor), tensor.shape, 2)}"
            for name, tensor in outputs.items()
        ]
        body = "{\n" + ",\n".join(members) + "\n    }"
    return f'{{\n    "outputs": {body}\n}}'.encode()


def _batch_size(outputs: Mapping[str, Tensor]) -> int:
    size = -1
    for name, tensor in outputs.items():
        if not tensor.shape:
            raise invalid(f"Tensor name: {name} has no shape information ")
        if size >= 0 and size != tensor.shape[0]:
            raise invalid(
                f"Tensor name: {name} has inconsistent batch size: {tensor.shape[0]} "
                f"expecting: {size}"
            )
        size = tensor.shape[0]
    return size


def _values(name: str, tensor: Tensor) -> Iterator[str]:
    as_bytes = tensor.dtype == dtypes.STRING and name.endswith("_bytes")
    return iter(json_values.printed(tensor.dtype, tensor.values, as_bytes=as_bytes))


def _one_line(values: Iterator[str], shape: tuple[int, ...]) -> str:
    if not shape:
        return next(values)
    return "[" + ", ".join(_one_line(values, shape[1:]) for _ in range(shape[0])) + "]"


def _indented(values: Iterator[str], shape: tuple[int, ...], level: int) -> str:
    if not shape:
        return next(values)
    if not shape[0]:
        return "[]"
    inner = "    " * (level + 1)
    parts = [inner + _indented(values, shape[1:], level + 1) for _ in range(shape[0])]
    return "[\n" + ",\n".join(parts) + "\n" + "    " * level + "]"
