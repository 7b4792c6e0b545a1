"""How many messages and texts a serialized protobuf message holds, found out before it is parsed.

Empty messages take two bytes on the wire and tens of times that in memory: bytes alone bound nothing.
The encoding: https://protobuf.dev/programming-guides/encoding/
"""

from google.protobuf.descriptor import Descriptor

from berth.domain.errors import InvalidModel

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5


def bound(data: bytes, descriptor: Descriptor, *, limit: int) -> None:
    """Raise InvalidModel when there are more than `limit` of them, or when it cannot be read.

    Only fields that the descriptor knows as messages are entered; what it does not know stays bytes.
    """
    entered: dict[str, dict[int, Descriptor]] = {}
    pending = [(0, len(data), descriptor)]
    count = 0
    while pending:
        position, end, message = pending.pop()
        if message.full_name not in entered:
            entered[message.full_name] = _messages(message)
        known = entered[message.full_name]
        while position < end:
            tag, position = _varint(data, position, end)
            if tag & 7 == _LENGTH:
                size, position = _varint(data, position, end)
                count += 1
                if count > limit:
                    raise InvalidModel(f"saved_model.pb holds more than {limit} messages and texts")
                if size and (inner := known.get(tag >> 3)) is not None:
                    pending.append((position, position + size, inner))
            else:
                size, position = _scalar(data, position, end, tag & 7)
            position += size
            if position > end:
                raise InvalidModel("saved_model.pb does not parse: a field leaves its message")


def _messages(descriptor: Descriptor) -> dict[int, Descriptor]:
    fields = descriptor.fields_by_number.items()
    return {number: f.message_type for number, f in fields if f.message_type is not None}


def _scalar(data: bytes, position: int, end: int, kind: int) -> tuple[int, int]:
    if kind == _VARINT:
        return 0, _varint(data, position, end)[1]
    if kind in (_FIXED64, _FIXED32):
        return 8 if kind == _FIXED64 else 4, position
    raise InvalidModel("saved_model.pb does not parse: it has a field of no known kind")


def _varint(data: bytes, position: int, end: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= end:
            break
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise InvalidModel("saved_model.pb does not parse: it is cut short")
