"""Single JSON values: which fit which data type, and how they are printed in answers and errors."""

import base64
import json
import math
import struct
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from infra.local.tfserving import dtypes
from infra.local.tfserving.status import Code, StatusError, invalid
from infra.local.tfserving.tensors import Values

Json = Any  # whatever json.loads returns


class Limits(NamedTuple):
    """The least and the greatest number of a type; `whole` ones for floating point."""

    least: float
    greatest: float
    whole: int | None = None


_INT32 = Limits(-(2**31), 2**31 - 1)
LIMITS = {
    "float": Limits(-3.4028234663852886e38, 3.4028234663852886e38, 2**24 - 1),
    "double": Limits(-1.7976931348623157e308, 1.7976931348623157e308, 2**53 - 1),
    "int8": _INT32,
    "int16": _INT32,
    "int32": _INT32,
    "uint8": _INT32,
    "int64": Limits(-(2**63), 2**63 - 1),
    "uint32": Limits(0, 2**32 - 1),
    "uint64": Limits(0, 2**64 - 1),
}


def fits(array: npt.NDArray[Any], name: str) -> bool:
    """Whether all of a numpy array made from JSON may become the type without a second look."""
    limits = LIMITS[name]
    if limits.whole is None:
        return array.dtype.kind in "iu" and bool(
            np.all((array >= limits.least) & (array <= limits.greatest))
        )
    if array.dtype.kind not in "iuf":
        return False
    # A greater number may have been written as an integer, which would lose precision.
    return bool(np.all(np.abs(array) <= limits.whole))


def leaf(value: Json, dtype: int) -> Json:
    """One value as the type's Python value. Raises StatusError."""
    name = dtypes.name(dtype)
    if name == "string":
        if not isinstance(value, str):
            raise type_error(value, dtype)
        return value.encode("utf-8", "surrogatepass")
    if name == "bool":
        if not isinstance(value, bool):
            raise type_error(value, dtype)
        return value
    limits = LIMITS.get(name)
    if limits is None:
        raise StatusError(
            Code.UNIMPLEMENTED, f"Conversion of JSON Value: {show(value)} to type: {name}"
        )
    return _number(value, dtype, limits)


def _number(value: Json, dtype: int, limits: Limits) -> Json:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise type_error(value, dtype)
    if limits.whole is None:
        if isinstance(value, float) or not limits.least <= value <= limits.greatest:
            raise type_error(value, dtype)
    elif not _lossless(value, limits):
        raise invalid(
            f"Cannot convert JSON value: {show(value)} to {dtypes.name(dtype)} "
            "without loss of precision."
        )
    return value


def _lossless(value: float, limits: Limits) -> bool:
    if isinstance(value, int) and -(2**63) <= value < 2**64:
        return abs(value) <= (limits.whole or 0)
    return not math.isfinite(value) or limits.least <= value <= limits.greatest


def type_error(value: Json, dtype: int) -> StatusError:
    """The refusal of a value of the wrong JSON type."""
    kinds = {bool: str(value), dict: "Object", list: "Array", str: "String", type(None): "Null"}
    kind = kinds.get(type(value), "Number")
    return invalid(
        f"JSON Value: {show(value)} Type: {kind} is not of expected type: {dtypes.name(dtype)}"
    )


def show(value: Json) -> str:
    """A JSON value as rapidjson's PrettyWriter prints it in messages."""
    if isinstance(value, float):
        return decimal(value, single=False)
    return json.dumps(value, indent=4, ensure_ascii=False)


def decimal(value: float, *, single: bool) -> str:
    """A number as answers print it: six digits if they suffice, else all; always with a point."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    text = f"{value:g}"
    if (_single(float(text)) if single else float(text)) != value:
        text = f"{value:.9g}" if single else f"{value:.17g}"
    return text if "." in text or "e" in text else text + ".0"


def _single(value: float) -> float:
    try:
        rounded: float = struct.unpack("<f", struct.pack("<f", value))[0]
    except OverflowError:
        return math.inf
    return rounded


def printed(dtype: int, values: Values, *, as_bytes: bool) -> list[str]:
    """The values of a tensor, each as JSON text. Raises StatusError for types JSON cannot carry."""
    name = dtypes.name(dtype)
    if name in ("float", "double"):
        single = name == "float"
        return [decimal(value, single=single) for value in values.tolist()]
    if name == "string":
        if as_bytes:
            return [f'{{"b64": "{base64.b64encode(each).decode()}"}}' for each in values]
        return [json.dumps(each.decode(errors="replace"), ensure_ascii=False) for each in values]
    if name == "bool":
        return ["true" if value else "false" for value in values.tolist()]
    if name in LIMITS:
        return [str(value) for value in values.tolist()]
    raise invalid(f"Failed to write JSON value for tensor type: {name}")
