"""Canonical bytes: the same value gives the same bytes in every process, so that digests compare."""

import hashlib
import json
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from berth.domain.errors import Damaged


class Document(BaseModel):
    """A frozen value that is stored as canonical JSON (sorted keys, one stable spelling)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def encode(self) -> bytes:
        """Return canonical JSON, UTF-8, with a newline at the end."""
        return encode(self.model_dump(mode="json"))

    @classmethod
    def decode(cls, data: bytes | str) -> Self:
        """Parse stored bytes; raise Damaged when they are not such a document."""
        try:
            return cls.model_validate_json(data)
        except ValidationError as error:
            raise Damaged(f"not a {cls.__name__} document: {problems(error)}") from error


def encode(value: object) -> bytes:
    """Return canonical JSON of plain values."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return (text + "\n").encode()


def digest(data: bytes | str) -> str:
    """Return the SHA-256 of bytes as 64 hex digits."""
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()


def problems(error: ValidationError) -> str:
    """Say every validation problem in one line, without the input's bytes."""
    lines = (
        f"{'.'.join(map(str, item['loc'])) or 'document'}: {item['msg']}"
        for item in error.errors(include_input=False, include_url=False, include_context=False)[:8]
    )
    return "; ".join(lines)
