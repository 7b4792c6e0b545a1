"""Tensors: between TensorProto, numpy arrays (lists of bytes for strings) and TF_Tensor."""

import ctypes
import math
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import numpy as np

from berth.protos import tensorflow_pb2 as tf
from infra.local.tfserving import capi, dtypes
from infra.local.tfserving.status import invalid

_MOST_DIMENSIONS = 254
Values = Any  # an array, or a list of bytes for strings


class Tensor(NamedTuple):
    """`values` is a flat array of the dtype's carrier, or a list of bytes for strings."""

    dtype: int
    shape: tuple[int, ...]
    values: Values


def from_proto(proto: tf.Tensor) -> Tensor:
    """Decode as Tensor::FromProto does: short fields repeat their last value. Raises ValueError."""
    kind = dtypes.BY_NUMBER.get(proto.dtype)
    shape = tuple(dim.size for dim in proto.tensor_shape.dim)
    if kind is None or proto.tensor_shape.unknown_rank or not possible(shape):
        raise ValueError("no tensor of this type and shape")
    count = math.prod(shape)
    if proto.dtype == dtypes.STRING:
        return Tensor(proto.dtype, shape, _strings(proto, count))
    if proto.tensor_content:
        values = np.frombuffer(proto.tensor_content, kind.carrier)
        if len(values) != count:
            raise ValueError("tensor_content does not fit the shape")
        return Tensor(proto.dtype, shape, values)
    return Tensor(proto.dtype, shape, _filled(getattr(proto, kind.field), kind, count))


def possible(shape: Sequence[int]) -> bool:
    """Whether TensorFlow has such shapes; it aborts the process on those it does not have."""
    return (
        len(shape) <= _MOST_DIMENSIONS and min(shape, default=0) >= 0 and math.prod(shape) < 2**63
    )


def _filled(field: Collection[Any], kind: dtypes.Dtype, count: int) -> Values:
    carrier = np.dtype(kind.carrier)
    if kind.name.startswith("complex"):
        given = np.array(list(field), "<f4" if carrier.itemsize == 8 else "<f8")
        given = given[: len(given) // 2 * 2].view(carrier)
    else:
        wide = {"int_val": "<i4", "half_val": "<i4"}.get(kind.field, carrier)
        given = np.fromiter(field, wide, len(field)).astype(carrier, copy=False)
    if len(given) >= count:
        return given[:count]
    values = np.zeros(count, carrier)
    values[: len(given)] = given
    if len(given):
        values[len(given) :] = given[-1]
    return values


def _strings(proto: tf.Tensor, count: int) -> list[bytes]:
    if proto.tensor_content:
        return _string_list(proto.tensor_content, count)
    given = list(proto.string_val[:count])
    last = given[-1] if given else b""
    return given + [last] * (count - len(given))


def _string_list(content: bytes, count: int) -> list[bytes]:
    sizes, position = [], 0
    for _ in range(count):
        size = shift = 0
        while True:
            if position >= len(content) or shift > 28:
                raise ValueError("tensor_content is cut short")
            byte = content[position]
            position += 1
            size |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        sizes.append(size)
    if position + sum(sizes) != len(content):
        raise ValueError("tensor_content does not fit the shape")
    strings = []
    for size in sizes:
        strings.append(content[position : position + size])
        position += size
    return strings


def to_proto(tensor: Tensor, *, as_content: bool, proto: tf.Tensor) -> None:
    """Fill `proto` with typed repeated fields, or with tensor_content (numbers only)."""
    proto.dtype = tensor.dtype
    proto.tensor_shape.SetInParent()
    for size in tensor.shape:
        proto.tensor_shape.dim.add(size=size)
    if tensor.dtype == dtypes.STRING:
        proto.string_val.extend(tensor.values)
        return
    if as_content:
        proto.tensor_content = tensor.values.tobytes()
        return
    kind = dtypes.BY_NUMBER[tensor.dtype]
    values = tensor.values
    if kind.name.startswith("complex"):
        values = values.view("<f4" if values.itemsize == 8 else "<f8")
    getattr(proto, kind.field).extend(values.tolist())


def allocate(tensor: Tensor) -> int:
    """A new TF_Tensor with the values copied in; free it with `release`."""
    lib = capi.library()
    rank = len(tensor.shape)
    shape = (ctypes.c_int64 * rank)(*tensor.shape)
    if tensor.dtype == dtypes.STRING:
        size = len(tensor.values) * capi.STRING_BYTES
        handle: int = lib.TF_AllocateTensor(tensor.dtype, shape, rank, size)
        start = lib.TF_TensorData(handle)
        for index, value in enumerate(tensor.values):
            lib.TF_StringInit(start + index * capi.STRING_BYTES)
            lib.TF_StringCopy(start + index * capi.STRING_BYTES, value, len(value))
        return handle
    values = np.ascontiguousarray(tensor.values)
    handle = lib.TF_AllocateTensor(tensor.dtype, shape, rank, values.nbytes)
    ctypes.memmove(lib.TF_TensorData(handle), values.ctypes.data, values.nbytes)
    return handle


def release(handle: int, tensor: Tensor) -> None:
    """Free what `allocate` made."""
    lib = capi.library()
    if tensor.dtype == dtypes.STRING:
        start = lib.TF_TensorData(handle)
        for index in range(len(tensor.values)):
            lib.TF_StringDealloc(start + index * capi.STRING_BYTES)
    lib.TF_DeleteTensor(handle)


def read(handle: int) -> Tensor:
    """Copy a TF_Tensor out. Raises StatusError for types that no message can carry."""
    lib = capi.library()
    dtype = lib.TF_TensorType(handle)
    shape = tuple(lib.TF_Dim(handle, axis) for axis in range(lib.TF_NumDims(handle)))
    if dtype not in dtypes.BY_NUMBER:
        raise invalid(f"cannot return a tensor of type {dtypes.name(dtype)}")
    start = lib.TF_TensorData(handle)
    if dtype == dtypes.STRING:
        places = (start + index * capi.STRING_BYTES for index in range(math.prod(shape)))
        values: Any = [
            ctypes.string_at(lib.TF_StringGetDataPointer(place), lib.TF_StringGetSize(place))
            for place in places
        ]
        return Tensor(dtype, shape, values)
    size = lib.TF_TensorByteSize(handle)
    content = ctypes.string_at(start, size) if size else b""
    return Tensor(dtype, shape, np.frombuffer(content, dtypes.BY_NUMBER[dtype].carrier))
