"""Keys of customers: made for a caller, known to Berth by their SHA-256 alone.

`berth_<customer>_<secret>`: whoever reads one by accident knows what it is and whose. The secret is 256
random bits, so a plain digest is enough: there is nothing to guess, as there is with a password.
"""

import base64
import hashlib
import re
from collections.abc import Mapping
from typing import Any

from berth.domain import names
from berth.domain.errors import InvalidEvent

SECRET_BYTES = 32
# Enough to change a key without a pause, for two services.
MAX_KEYS = 4
_DIGEST = re.compile(r"[0-9a-f]{64}")
_CLEAR = re.compile(r"berth_[A-Za-z0-9-]+_[A-Za-z0-9_-]{16,}")


def make(customer: str, secret: bytes) -> tuple[str, str]:
    """Return a key and its digest, from 32 random bytes. Raises InvalidEvent for no customer's name.

    The key is the caller's; the digest goes into `customer.keys_changed`.
    """
    if len(secret) != SECRET_BYTES:
        raise ValueError(f"a key takes {SECRET_BYTES} random bytes")
    text = base64.urlsafe_b64encode(secret).decode().rstrip("=")
    key = f"berth_{names.customer(customer)}_{text}"
    return key, digest(key)


def digest(key: str) -> str:
    """Return the SHA-256 of a whole key as 64 hex digits: what a router compares."""
    return hashlib.sha256(key.encode()).hexdigest()


def told(payload: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the digests of a customer's event, sorted. Raises InvalidEvent, which never shows a value."""
    found = payload.get("keys")
    if not isinstance(found, list) or len(found) > MAX_KEYS:
        raise InvalidEvent(f"keys is not a list of at most {MAX_KEYS}")
    if not all(isinstance(one, str) and _DIGEST.fullmatch(one) for one in found):
        raise InvalidEvent("keys has other than SHA-256 digests in 64 lower-case hex digits")
    return tuple(sorted(set(found)))


def refuse_clear(body: Mapping[str, Any]) -> None:
    """Raise InvalidEvent, without its value, where a message holds what looks like a key in clear."""
    left: list[Any] = [body]
    while left:
        one = left.pop()
        if isinstance(one, Mapping):
            left += [*one, *one.values()]
        elif isinstance(one, list):
            left += one
        elif isinstance(one, str) and _CLEAR.search(one):
            raise InvalidEvent(
                "the event holds what looks like a key in clear: send its SHA-256 alone"
            )
