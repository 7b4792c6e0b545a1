"""The parts of the door's filter by themselves, in LuaJIT: digests, addresses, messages."""

import hashlib
import random

import pytest
from google.protobuf.message import DecodeError

from berth.protos.tfserving_pb2 import GetModelStatusRequest, PredictRequest
from tests.support import lua

PARTS = lua.load()
SHA256, TARGET, MESSAGE = PARTS["sha256"], PARTS["target"], PARTS["message"]


# FIPS 180-4 and NIST's example values, and each length around a block's end.
@pytest.mark.parametrize(
    ("text", "digest"),
    [
        (b"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
        ),
        (
            b"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
            b"hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
            "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1",
        ),
        (b"\xbd", "68325720aabd7c82f30f554b313d0570c95accbb7dc4b5aae11204c08ffe732b"),
    ],
)
def test_sha_256_gives_the_published_digests(text, digest):
    assert SHA256(text).decode() == digest


def test_sha_256_agrees_with_the_library_at_every_length():
    source = random.Random(1)
    for length in range(200):
        text = source.randbytes(length)
        assert SHA256(text).decode() == hashlib.sha256(text).hexdigest()


def _rest(method, path):
    return lua.plain(TARGET.rest(method.encode(), path.encode()))


@pytest.mark.parametrize(
    ("method", "path", "asked"),
    [
        ("POST", "/v1/models/acme.churn:predict", {"tail": ":predict"}),
        ("POST", "/V1/MODELS/acme.churn:PREDICT", {"tail": ":predict"}),
        ("POST", "/v1/models/acme%2Echurn:regress", {"tail": ":regress"}),
        ("POST", "/v1/models/acme.churn/versions/3:classify", {"version": "3"}),
        ("POST", "/v1/models/acme.churn/versions/003:predict", {"version": "3"}),
        ("POST", "/v1/models/acme.churn/labels/canary:predict", {"label": "canary"}),
        ("POST", "/v1/models/acme.churn/labels/can%61ry:predict", {"label": "canary"}),
        ("GET", "/v1/models/acme.churn", {"tail": "", "status": True}),
        ("GET", "/v1/models/acme.churn/metadata", {"tail": "/metadata", "status": False}),
        ("GET", "/v1/models/acme.churn/versions/4/metadata", {"version": "4"}),
        ("GET", "/v1/models/acme.churn/labels/stable", {"label": "stable", "status": True}),
    ],
)
def test_addresses_of_the_rest_api_are_understood(method, path, asked):
    found = _rest(method, path)
    assert found["name"] == "acme.churn"
    assert {key: found.get(key) for key in asked} == asked


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/models/acme.churn:predict?a=b"),
        ("GET", "/v1/models/acme.churn?"),
        ("POST", "/v1/models/acme.churn:predict#x"),
        ("POST", "/v1/models//acme.churn:predict"),
        ("POST", "//v1/models/acme.churn:predict"),
        ("POST", "/v1//models/acme.churn:predict"),
        ("POST", "/v1/models/../models/acme.churn:predict"),
        ("POST", "/v1/models/acme.churn/:predict"),
        ("POST", "/v1/models/acme.churn:predict/"),
        ("POST", "/v1/models/acme.churn:predict:predict"),
        ("POST", "/v1/models/acme.churn:multiinference"),
        ("POST", "/v1/models/acme.churn"),
        ("GET", "/v1/models/acme.churn:predict"),
        ("PUT", "/v1/models/acme.churn:predict"),
        ("DELETE", "/v1/models/acme.churn"),
        ("POST", "/v1/models/acme.churn/versions/-1:predict"),
        ("POST", "/v1/models/acme.churn/versions/x:predict"),
        ("POST", "/v1/models/acme.churn/versions/3/labels/a:predict"),
        ("GET", "/v1/models/acme.churn/versions/3/"),
        ("GET", "/v1/models"),
        ("GET", "/v1/models/"),
        ("POST", "/v1/config:reload"),
        ("GET", "/monitoring/prometheus/metrics"),
        ("GET", "*"),
        ("GET", ""),
    ],
)
def test_what_is_no_address_of_the_rest_api_is_not_guessed_at(method, path):
    assert _rest(method, path) is None


@pytest.mark.parametrize(
    "name",
    [
        "acme",
        "acme.",
        ".churn",
        "acme.churn.x",
        "acme%2Fchurn",
        "acme.chu%00rn",
        "acme%2.churn",
        "ACME.churn",
        "acme.-",
        "acme.ch_urn",
        "..%2f..%2fetc.passwd",
        "a" * 41 + ".b",
        "%2e%2e.a",
    ],
)
def test_a_strange_name_is_nobodys_model(name):
    found = _rest("POST", f"/v1/models/{name}:predict")
    assert TARGET.customer_of(found["name"].encode()) is None


def framed(message):
    return b"\0" + len(message).to_bytes(4, "big") + message


def parsed(body):
    def read(at, count):
        assert 0 <= at <= at + count <= len(body)
        return body[int(at) : int(at + count)]

    found = MESSAGE.parse(read, len(body))
    return (read, *found) if isinstance(found, tuple) else (read, found, None)


def rewritten(body, version):
    read, found, _ = parsed(body)
    return MESSAGE.rewrite(read, len(body), found, str(version).encode())


@pytest.mark.parametrize("version", [0, 1, 127, 128, 300, 10**15])
def test_a_rewritten_message_names_the_version_alone_and_is_otherwise_the_same(version):
    sent = PredictRequest(output_filter=["a", "b"])
    sent.model_spec.name, sent.model_spec.signature_name = "acme.churn", "other"
    sent.model_spec.version_label = "stable"
    got = rewritten(framed(sent.SerializeToString()), version)
    assert got[:5] == framed(got[5:])[:5]
    sent.model_spec.version.value = version
    assert PredictRequest.FromString(got[5:]) == sent


def test_a_body_of_megabytes_is_not_read_to_find_the_model():
    body = framed(b"\x12" + b"\x80\x80\x80\x05" + b"x" * (10 * 1024**2) + b"\x0a\x05\x0a\x03a.b")
    read = []

    def count(at, size):
        read.append(size)
        return body[int(at) : int(at + size)]

    assert lua.plain(MESSAGE.parse(count, len(body)))["name"] == "a.b"
    assert sum(read) < 200


SPEC = b"\x0a\x03a.b"


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"", "Missing ModelSpec"),
        (b"\x12\x01x", "Missing ModelSpec"),
        (b"\x0a\x00", "ModelSpec has no name specified."),
        (b"\x0a\x05" + SPEC + b"\x0a\x05" + SPEC, "malformed"),  # two, which protobuf would merge
        (b"\x0a\x0a" + SPEC + SPEC, "malformed"),
        (b"\x0a\x06" + SPEC, "malformed"),
        (b"\x0a\x07" + SPEC + b"\x12\x05", "malformed"),
        (b"\x0b" + SPEC + b"\x0c", "malformed"),  # groups
        (b"\x08\x01", "malformed"),  # a ModelSpec that is a number
        (b"\x02\x01x", "malformed"),  # field 0
        (b"\xff" * 30, "malformed"),
        (b"\x12" + b"\x80" * 9 + b"\x01", "malformed"),
        (b"\x0a\x0c" + SPEC + b"\x12\x02\x08\x03" + b"\x22\x01", "malformed"),
        (b"\x0a\x0c" + SPEC + b"\x12\x02\x08\x03" + b"\x22\x01a", "malformed"),  # both of a oneof
        (b"\x12\x00" * 1001, "malformed"),
        (b"\x0a\x81\x20" + b"\x0a\xfe\x1f" + b"a" * 4094, "malformed"),
    ],
)
def test_a_hostile_message_is_refused(message, reason):
    assert reason in parsed(framed(message))[2].decode()


@pytest.mark.parametrize("body", [b"", b"\0\0\0", b"\0\0\0\0\1", b"\0\0\0\0\0\0", b"\2\0\0\0\0"])
def test_a_body_that_is_not_one_frame_is_refused(body):
    assert parsed(body)[2] == b"the body is not one gRPC message"


def test_a_compressed_message_is_refused_in_words():
    assert b"compressed" in parsed(b"\1\0\0\0\0")[2]


@pytest.mark.parametrize("value", [2**53, 2**63 - 1, -1, -(2**63)])
def test_a_number_that_no_version_has_is_no_version(value):
    sent = GetModelStatusRequest()
    sent.model_spec.name, sent.model_spec.version.value = "a.b", value
    assert parsed(framed(sent.SerializeToString()))[1].version == b""


def _random_message(source):
    """A request, valid or broken: fields doubled, cut, mixed up, with bytes changed."""
    sent = PredictRequest()
    sent.model_spec.name = source.choice(["acme.churn", "a.b", ""])
    if source.random() < 0.4:
        sent.model_spec.version.value = source.choice([0, 1, 3, 10**15, -1])
    if source.random() < 0.3:
        sent.model_spec.version_label = "stable"
    if source.random() < 0.5:
        sent.output_filter.append("x" * source.randrange(300))
    data = bytearray(sent.SerializeToString())
    for _ in range(source.choice([0, 0, 1, 2, 5])):
        at = source.randrange(len(data) + 1)
        kind = source.randrange(4)
        if kind == 0:
            data[at : at + 1] = source.randbytes(source.randrange(3))
        elif kind == 1:
            del data[at:]
        elif kind == 2:
            data[at:at] = SPEC[: source.randrange(6)]
        else:
            data += data[: source.randrange(len(data) + 1)]
    return bytes(data)


def test_what_the_filter_accepts_means_the_same_to_protobuf():
    source = random.Random(20261121)
    accepted = 0
    for _ in range(4000):
        data = _random_message(source)
        _, found, _ = parsed(framed(data))
        if found is None:
            continue
        try:
            server = PredictRequest.FromString(data)
        except DecodeError:
            continue  # what is in other fields is the server's to judge
        accepted += 1
        spec = server.model_spec
        assert found.name == spec.name.encode()
        assert (found.label or b"") == spec.version_label.encode()
        number = spec.version.value if spec.HasField("version") else None
        assert found.version == (None if number is None else str(number).encode() * (number >= 0))
        spec.version.value = 7
        assert PredictRequest.FromString(rewritten(framed(data), 7)[5:]) == server
    assert accepted > 800
