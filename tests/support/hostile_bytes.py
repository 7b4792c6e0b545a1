"""Hostile bytes: messages of saved_model.pb, tables of variables.index, lists of files."""

from berth.domain.manifest import ManifestFile
from berth.protos import tensorflow_pb2 as tf
from tests.support import graph_parts, hostile

ASSET_NAMES = (
    *("../secret", "/etc/passwd", "a/../../b", "a//b", "./a", "a/.", "..", "."),
    *("gs://models/rival/1/assets/words", "a\\..\\b", "a\nb", "a\x00b", "a\u202etxt", "", "x" * 513),
    *("x" * 256, "a/"),
)  # fmt: skip
MAGIC = 0xDB4775248B80FB57


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number: int, body: bytes) -> bytes:
    """A field of bytes, as protobuf writes it."""
    return varint(number << 3 | 2) + varint(len(body)) + body


def bomb(count: int, path: tuple[int, ...] = (2, 2, 1)) -> bytes:
    """`count` empty messages at a path of field numbers of SavedModel; by default, nodes."""
    *outer, last = path
    body = field(last, b"") * count
    for number in reversed(outer):
        body = field(number, body)
    return body


def composite(depth: int) -> tf.MetaGraphDef:
    """A signature whose output is a tensor of tensors of tensors, so deep."""
    meta = hostile.graph()
    info = meta.signature_def["serving_default"].outputs["deep"]
    for _ in range(depth):
        info = info.composite_tensor.components.add()
    info.name = "nowhere:0"
    return meta


def many_signatures(meta: tf.MetaGraphDef) -> None:
    for number in range(5000):
        meta.signature_def[f"s{number}"].CopyFrom(meta.signature_def["serving_default"])


def many_outputs(meta: tf.MetaGraphDef) -> None:
    for number in range(1001):
        meta.signature_def["serving_default"].outputs[f"o{number}"].name = "saver_filename:0"


def no_outputs(meta: tf.MetaGraphDef) -> None:
    meta.signature_def["serving_default"].outputs.clear()


def many_dimensions(meta: tf.MetaGraphDef) -> None:
    for _ in range(255):
        meta.signature_def["serving_default"].inputs["x"].tensor_shape.dim.add(size=1)


def long_signature_name(meta: tf.MetaGraphDef) -> None:
    meta.signature_def["s" * 1_000_000].CopyFrom(meta.signature_def["serving_default"])


def long_tensor_name(meta: tf.MetaGraphDef) -> None:
    outputs = meta.signature_def["serving_default"].outputs
    outputs["o" * 1_000_000].CopyFrom(next(iter(outputs.values())))


def many_dimensions_in_all(meta: tf.MetaGraphDef) -> None:
    """Each bound is kept, their product would be a report of a hundred MiB."""
    wide = meta.signature_def["serving_default"]
    for number in range(900):
        tensor = wide.inputs[f"i{number}"]
        for _ in range(250):
            tensor.tensor_shape.dim.add(size=2**62)


def huge_constant_in_function(meta: tf.MetaGraphDef) -> None:
    body = graph_parts.function(meta, "big", "s")
    hostile.huge_constant(meta)
    body.node_def.add().CopyFrom(graph_parts.node_named(meta, "huge"))
    meta.graph_def.node.remove(graph_parts.node_named(meta, "huge"))


def damaged_assets(meta: tf.MetaGraphDef) -> None:
    del meta.asset_file_def[:]
    meta.collection_def["saved_model_assets"].any_list.value.add(value=b"\xff\xff")


def block(entries, shared=0) -> bytes:
    """Entries of one block: every key whole, or with a claimed shared prefix."""
    body = b"".join(
        varint(shared) + varint(len(key)) + varint(len(value)) + key + value
        for key, value in entries
    )
    return body + (0).to_bytes(4, "little") + (1).to_bytes(4, "little")


def table(*blocks: bytes, handles=None, kind=0, meta=(0, 0)) -> bytes:
    """A file of data blocks, their index block and a footer; `handles` lies about where they are."""
    data, found = b"", []
    for body in blocks:
        found.append((len(data), len(body)))
        data += body + bytes([kind]) + bytes(4)
    listed = handles if handles is not None else found
    last = block([(bytes([97 + n]), varint(o) + varint(s)) for n, (o, s) in enumerate(listed)])
    place = varint(len(data)) + varint(len(last))
    footer = (varint(meta[0]) + varint(meta[1]) + place).ljust(40, b"\0")
    return data + last + bytes(5) + footer + MAGIC.to_bytes(8, "little")


def header(**fields) -> tuple[bytes, bytes]:
    return b"", tf.BundleHeader(**{"num_shards": 1, **fields}).SerializeToString()


def entry(name: bytes = b"w", **fields) -> tuple[bytes, bytes]:
    return name, tf.BundleEntry(**fields).SerializeToString()


ONE = block([header()])
INDEXES = {
    "no header": (lambda: table(block([entry()])), "no header"),
    "empty": (lambda: table(), "no header"),
    "big-endian": (lambda: table(block([header(endianness=1)])), "big-endian"),
    "no shards": (lambda: table(block([header(num_shards=0)])), "0 data shards"),
    "negative shards": (lambda: table(block([header(num_shards=-1)])), "-1 data shards"),
    "many shards": (lambda: table(block([header(num_shards=10_001)])), "10001 data shards"),
    "damaged header": (lambda: table(block([(b"", b"\xff")])), "does not parse"),
    "damaged entry": (lambda: table(block([header(), (b"w", b"\xff")])), "does not parse"),
    "foreign shard": (lambda: table(block([header(), entry(shard_id=1)])), "cannot be"),
    "negative shard": (lambda: table(block([header(), entry(shard_id=-1)])), "cannot be"),
    "negative offset": (lambda: table(block([header(), entry(offset=-1)])), "cannot be"),
    "negative size": (lambda: table(block([header(), entry(size=-1)])), "cannot be"),
    "beyond": (
        lambda: table(block([header(), entry(offset=1 << 47, size=(1 << 47) + 1)])),
        "beyond",
    ),
    "twice": (lambda: table(block([header(), entry(), entry()])), "out of order"),
    "out of order": (lambda: table(block([header(), entry(b"b"), entry(b"a")])), "out of order"),
    "compressed": (lambda: table(block([header()]), kind=1), "compressed"),
    "outside": (lambda: table(block([header()]), handles=[(1 << 40, 10)]), "outside itself"),
    "into its footer": (lambda: table(block([header()]), handles=[(0, 70)]), "outside itself"),
    "too small": (lambda: table(block([header()]), handles=[(0, 3)]), "outside itself"),
    "one block twice": (
        lambda: table(ONE, handles=[(0, len(ONE)), (0, len(ONE))]),
        "overlap",
    ),
    "key too long": (lambda: table(block([header(), entry(b"w" * 4097)])), "damaged entry"),
    "shared with nothing": (lambda: table(block([header()], shared=1)), "damaged entry"),
    "restarts beyond": (lambda: table(b"\xff" * 12), "damaged block"),
}


def files(*names: str, size: int = 1) -> tuple[ManifestFile, ...]:
    return tuple(ManifestFile(name=n, generation=1, size=size, crc32c="") for n in names)


MANIFESTS = {
    "parent": (files("../saved_model.pb"), "not allowed"),
    "absolute": (files("/etc/passwd"), "not allowed"),
    "empty part": (files("assets//a"), "not allowed"),
    "backslash": (files("assets\\a"), "not allowed"),
    "control": (files("assets/a\nb"), "not allowed"),
    "long part": (files("assets/" + "x" * 256), "not allowed"),
    "beyond the shown": (files(*(f"f{n:04}" for n in range(150)), "z/../z"), "further file names"),
    "many": (files(*(f"f{n}" for n in range(1001))), "1001 files"),
    "huge file": (files("a", size=(2 << 30) + 1), "at most"),
    "huge in all": (files("a", "b", size=(1 << 30) + 1), "bytes in all"),
    "file and folder": (files("assets/a", "assets/a/b"), "a file and a folder"),
}
