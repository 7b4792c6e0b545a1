"""Keys: made for a caller, known by their digest, refused in clear."""

import hashlib
import re

import pytest

from berth.domain import keys
from berth.domain.errors import InvalidEvent

SECRET = bytes(range(32))
DIGEST = "0a" * 32


def test_a_key_tells_whose_it_is_and_its_digest_covers_all_of_it():
    key, digest = keys.make("acme-2", SECRET)
    assert re.fullmatch(r"berth_acme-2_[A-Za-z0-9_-]{43}", key)
    assert digest == hashlib.sha256(key.encode()).hexdigest()
    assert keys.make("globex", SECRET)[1] != digest
    assert keys.make("acme-2", bytes(32))[1] != digest


@pytest.mark.parametrize("secret", [b"", bytes(31), bytes(33)])
def test_a_key_has_256_random_bits(secret):
    with pytest.raises(ValueError, match="32 random bytes"):
        keys.make("acme", secret)


def test_a_key_is_of_a_customer():
    with pytest.raises(InvalidEvent):
        keys.make("Acme", SECRET)


def test_digests_are_a_set():
    assert keys.told({"keys": ["1b" * 32, DIGEST, DIGEST]}) == (DIGEST, "1b" * 32)
    assert keys.told({"keys": []}) == ()


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"keys": None},
        {"keys": DIGEST},
        {"keys": {DIGEST: 1}},
        {"keys": [DIGEST] * 5},
        {"keys": [DIGEST.upper()]},
        {"keys": [DIGEST + "\n"]},
        {"keys": ["hunter2-in-clear"]},
        {"keys": [7]},
        {"keys": [None]},
    ],
)
def test_anything_else_is_refused_and_not_shown(given):
    with pytest.raises(InvalidEvent) as refused:
        keys.told(given)
    assert "hunter2" not in str(refused.value)
    assert DIGEST not in str(refused.value).lower()


KEY = keys.make("acme", SECRET)[0]


@pytest.mark.parametrize(
    "body",
    [
        {"keys": [KEY]},
        {"type": KEY},
        {KEY: 1},
        {"data": {"customer": KEY}},
        {"data": {"a": [{"b": f"Bearer {KEY}"}]}},
        {"customer": KEY[:-20]},
    ],
)
def test_a_key_in_clear_is_refused_wherever_it_is(body):
    with pytest.raises(InvalidEvent) as refused:
        keys.refuse_clear(body)
    assert KEY[11:30] not in str(refused.value)


@pytest.mark.parametrize("body", [{}, {"keys": [DIGEST]}, {"a": ["berth_acme", 1, None, {"b": 2}]}])
def test_what_is_no_key_passes(body):
    keys.refuse_clear(body)
