"""What fuzzing feeds the parsers: bytes changed in real files, and structures made of telling pieces."""

import functools

from hypothesis import strategies as st

from berth.domain.manifest import ManifestFile
from tests.support import hostile_bytes, probe_models

_MODELS = ("module", "table", "graph", "loops", "several", "text")
_EDITS = st.lists(
    st.tuples(
        st.integers(0, 2**31), st.sampled_from(["set", "drop", "copy", "grow"]), st.binary(max_size=9)
    ),
    min_size=1,
    max_size=12,
)  # fmt: skip


@functools.cache
def _file(name: str, path: str) -> bytes:
    return (probe_models.model(name) / path).read_bytes()


def _mutated(data: bytes, edits: list[tuple[int, str, bytes]]) -> bytes:
    """Set, take out, copy elsewhere or blow up pieces of the bytes."""
    out = bytearray(data)
    for place, kind, piece in edits:
        at = place % (len(out) + 1)
        size = place // 7 % 40
        if kind == "set":
            out[at : at + len(piece)] = piece
        elif kind == "drop":
            del out[at : at + size]
        elif kind == "copy":
            out[at:at] = out[place // 3 % (len(out) + 1) :][:size]
        else:
            out[at:at] = piece * 20
    return bytes(out)


def changed(path: str) -> st.SearchStrategy[bytes]:
    """A file of an ordinary model with bytes of it changed."""
    real = st.sampled_from(_MODELS).map(lambda name: _file(name, path))
    return st.builds(_mutated, real, _EDITS)


def tables() -> st.SearchStrategy[bytes]:
    """Checkpoint indexes made of blocks whose lengths and places may lie, and damaged real ones."""
    numbers = st.integers(-2, 3) | st.sampled_from([2**31 - 1, -(2**31)])
    longs = numbers | st.sampled_from([2**47, 2**62, 2**63 - 1])
    entry = st.builds(
        lambda key, *rest: hostile_bytes.entry(
            key, **dict(zip(("shard_id", "offset", "size"), rest, strict=True))
        ),
        *(st.binary(max_size=3), numbers, longs, longs),
    )
    header = st.builds(
        lambda count, order: hostile_bytes.header(num_shards=count, endianness=order),
        *(numbers, st.sampled_from([0, 0, 0, 1])),
    )
    entries = st.builds(lambda first, rest: [first, *rest], header, st.lists(entry, max_size=6))
    blocks = st.builds(hostile_bytes.block, entries, st.sampled_from([0, 0, 1]))
    handles = st.none() | st.lists(st.tuples(st.integers(0, 80), st.integers(0, 80)), max_size=4)
    made = st.builds(
        lambda bodies, places, kind: hostile_bytes.table(*bodies, handles=places, kind=kind),
        *(
            st.lists(blocks | st.binary(max_size=40), max_size=3),
            handles,
            st.sampled_from([0, 0, 1]),
        ),
    )
    return made | st.builds(_mutated, made, _EDITS) | changed("variables/variables.index")


_YAML = st.text(alphabet="keepin: 0123456789[]{}&*!?|>%-\n\t'\"<.,#_xe+", max_size=80).map(
    str.encode
)


def yamls():
    """Bytes of a serving.yaml."""
    pieces = st.lists(
        st.sampled_from(
            [
                *(
                    b"keep: 2\n",
                    b"pin: 3\n",
                    b"canary: {version: 4, percent: 10}\n",
                    b"canary: {version: 4, percent: 10.0, }\n",
                    b"labels: {stable: 3}\n",
                    b"labels:\n  on: 1:30\n  a b: .nan\n",
                    b"<<: {keep: 1}\n",
                    b"? [a]\n: 1\n",
                    b"1: 2\n",
                    b"- \n",
                ),
                *(
                    b"keep: 1:30\n",
                    b"pin: .inf\n",
                    b"pin: 2026-01-01\n",
                    b"!!set {keep}\n",
                    b"!!binary a\n",
                ),
                *(
                    b"keep: !!float 2\n",
                    b"keep: !!bool x\n",
                    b"keep: !!timestamp x\n",
                    b"pin: !!int ''\n",
                    b"%YAML 1.1\n---\n",
                    b"\xff\xfe",
                    b"=: 1\n",
                    b"!!omap [a: 1]\n",
                ),
                *(b"{" * 12, b"pin: 0o17\n", b"keep: ~\n", b"null: null\n", b"? ? ? a\n"),
            ]
        ),
        max_size=5,
    ).map(b"".join)
    return _YAML | pieces | st.builds(_mutated, pieces, _EDITS) | st.binary(max_size=60)


_PARTS = st.sampled_from(
    [
        *("acme", "digits", "1", "01", "..", ".", "", "serving.yaml", "saved_model.pb", "a\n", "é"),
        *(
            "1.status.json",
            "x" * 41,
            "9" * 30,
            "variables",
            "assets",
            "\u202e",
            "\\",
            "\ud800",
            "٣",
        ),
    ]
)


def names():
    """Names of objects."""
    return st.lists(_PARTS, max_size=6).map("/".join) | st.text(max_size=60)


def listings():
    """What a listing of a version may hold."""
    file = st.builds(
        ManifestFile,
        name=names(),
        generation=st.integers(0, 9),
        size=st.integers(0, 2**63),
        crc32c=st.text(max_size=8),
    )
    return st.lists(file, max_size=8, unique_by=lambda one: one.name)
