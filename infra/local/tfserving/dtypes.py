"""TensorFlow's data types: number, name, field of TensorProto, and numpy's carrier."""

from typing import NamedTuple


class Dtype(NamedTuple):
    """One data type; `carrier` is the numpy type of its memory, or of its bits."""

    name: str
    field: str
    carrier: str


STRING = 7
BY_NUMBER = {
    1: Dtype("float", "float_val", "<f4"),
    2: Dtype("double", "double_val", "<f8"),
    3: Dtype("int32", "int_val", "<i4"),
    4: Dtype("uint8", "int_val", "u1"),
    5: Dtype("int16", "int_val", "<i2"),
    6: Dtype("int8", "int_val", "i1"),
    STRING: Dtype("string", "string_val", ""),
    8: Dtype("complex64", "scomplex_val", "<c8"),
    9: Dtype("int64", "int64_val", "<i8"),
    10: Dtype("bool", "bool_val", "?"),
    11: Dtype("qint8", "int_val", "i1"),
    12: Dtype("quint8", "int_val", "u1"),
    13: Dtype("qint32", "int_val", "<i4"),
    14: Dtype("bfloat16", "half_val", "<u2"),
    15: Dtype("qint16", "int_val", "<i2"),
    16: Dtype("quint16", "int_val", "<u2"),
    17: Dtype("uint16", "int_val", "<u2"),
    18: Dtype("complex128", "dcomplex_val", "<c16"),
    19: Dtype("half", "half_val", "<u2"),
    22: Dtype("uint32", "uint32_val", "<u4"),
    23: Dtype("uint64", "uint64_val", "<u8"),
}
# What JSON shows for the numbers of tensorflow.DataType in metadata.
ENUM_NAMES = {0: "DT_INVALID", 20: "DT_RESOURCE", 21: "DT_VARIANT"} | {
    number: f"DT_{each.name.upper()}" for number, each in BY_NUMBER.items()
}


def name(number: int) -> str:
    """The name as error messages print it."""
    known = BY_NUMBER.get(number)
    return known.name if known else {20: "resource", 21: "variant"}.get(number, "INVALID")
