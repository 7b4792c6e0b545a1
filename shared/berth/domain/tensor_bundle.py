"""variables.index, the table of a TensorFlow checkpoint: read without trusting a length in it.

The format is LevelDB's table: blocks of prefix-compressed entries, a footer of 48 bytes with two
block handles and a magic number. TensorFlow writes it uncompressed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

from google.protobuf.message import DecodeError

from berth.domain.errors import InvalidModel
from berth.protos import tensorflow_pb2

_M = TypeVar("_M", tensorflow_pb2.BundleHeader, tensorflow_pb2.BundleEntry)
_FOOTER = 48
_MAGIC = 0xDB4775248B80FB57
_TRAILER = 5
_MAX_ENTRIES = 1_000_000
_MAX_SHARDS = 10_000
_MAX_BYTES = 1 << 48
_MAX_KEY = 4096


@dataclass(frozen=True, slots=True)
class Bundle:
    """What a checkpoint holds: how many tensors, and the exact size of each data shard in bytes."""

    tensors: int
    shards: tuple[int, ...]

    def files(self) -> dict[str, int]:
        """Return the data shards' names under the version's folder and their sizes."""
        count = len(self.shards)
        return {
            f"variables/variables.data-{number:05d}-of-{count:05d}": size
            for number, size in enumerate(self.shards)
        }


def parse(data: bytes) -> Bundle:
    """Read variables.index. Raises InvalidModel for anything that is not exactly such a table."""
    entries = _table(data)
    header = _header(entries)
    sizes = [0] * header.num_shards
    tensors, last = 0, b""
    for key, value in entries:
        if key <= last:
            raise InvalidModel("variables.index has entries out of order, or one twice")
        tensors, last = tensors + 1, key
        entry = _message(tensorflow_pb2.BundleEntry(), value)
        if not 0 <= entry.shard_id < len(sizes) or entry.offset < 0 or entry.size < 0:
            raise InvalidModel("variables.index names a data shard or an offset that cannot be")
        end = entry.offset + entry.size
        if end > _MAX_BYTES:
            raise InvalidModel("variables.index claims a tensor beyond any possible size")
        sizes[entry.shard_id] = max(sizes[entry.shard_id], end)
    return Bundle(tensors=tensors, shards=tuple(sizes))


def _header(entries: Iterator[tuple[bytes, bytes]]) -> tensorflow_pb2.BundleHeader:
    key, value = next(entries, (b"?", b""))
    if key != b"":
        raise InvalidModel("variables.index has no header")
    header = _message(tensorflow_pb2.BundleHeader(), value)
    if header.endianness != 0:
        raise InvalidModel("variables.index was written on a big-endian machine")
    if not 1 <= header.num_shards <= _MAX_SHARDS:
        raise InvalidModel(f"variables.index claims {header.num_shards} data shards")
    return header


def _message(into: _M, data: bytes) -> _M:
    try:
        into.ParseFromString(data)
    except DecodeError as error:
        raise InvalidModel("variables.index holds an entry that does not parse") from error
    return into


def _table(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield every key and value in order."""
    if len(data) < _FOOTER:
        raise InvalidModel("variables.index is too short to be a checkpoint index")
    footer = data[-_FOOTER:]
    if int.from_bytes(footer[-8:], "little") != _MAGIC:
        raise InvalidModel("variables.index is cut short or is no checkpoint index")
    _, position = _handle(footer, 0)
    (offset, size), _ = _handle(footer, position)
    seen = passed = 0
    for _, value in _block(data, offset, size):
        (start, length), _ = _handle(value, 0)
        if start < passed:  # a block read twice would let a small file cost without bound
            raise InvalidModel("variables.index has blocks that overlap")
        passed = start + length
        for key, entry in _block(data, start, length):
            seen += 1
            if seen > _MAX_ENTRIES:
                raise InvalidModel(f"variables.index has more than {_MAX_ENTRIES} entries")
            yield key, entry


def _handle(data: bytes, position: int) -> tuple[tuple[int, int], int]:
    offset, position = _varint(data, position)
    size, position = _varint(data, position)
    return (offset, size), position


def _block(data: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    if offset + size + _TRAILER > len(data) - _FOOTER or size < 4:
        raise InvalidModel("variables.index points outside itself")
    if data[offset + size] != 0:
        raise InvalidModel("variables.index is compressed, which TensorFlow does not write")
    block = data[offset : offset + size]
    restarts = int.from_bytes(block[-4:], "little")
    end = size - 4 - 4 * restarts
    if end < 0:
        raise InvalidModel("variables.index has a damaged block")
    position, key = 0, b""
    while position < end:
        shared, position = _varint(block, position)
        unshared, position = _varint(block, position)
        length, position = _varint(block, position)
        if shared + unshared > _MAX_KEY or shared > len(key) or position + unshared + length > end:
            raise InvalidModel("variables.index has a damaged entry")
        key = key[:shared] + block[position : position + unshared]
        position += unshared
        yield key, block[position : position + length]
        position += length


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 64, 7):
        if position >= len(data):
            break
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise InvalidModel("variables.index has a damaged length")
