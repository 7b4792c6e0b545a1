"""Status codes and the one error of the stand-in, printed as absl::Status prints itself."""

import enum
from dataclasses import dataclass


class Code(enum.IntEnum):
    """Canonical codes; the numbers are gRPC's and tensorflow.error.Code's."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


@dataclass(frozen=True, slots=True)
class Status:
    """A code and its message; `OK` has none."""

    code: Code = Code.OK
    message: str = ""

    @property
    def ok(self) -> bool:
        """True for code OK."""
        return self.code is Code.OK

    def __str__(self) -> str:
        """`OK` or `NOT_FOUND: message`."""
        return "OK" if self.ok else f"{self.code.name}: {self.message}"


OK = Status()


class StatusError(Exception):
    """A status that is not OK, on its way to whoever asked."""

    def __init__(self, code: Code, message: str) -> None:
        """Wrap `code` and `message`."""
        super().__init__(message)
        self.status = Status(code, message)


def invalid(message: str) -> StatusError:
    """INVALID_ARGUMENT, the commonest of them."""
    return StatusError(Code.INVALID_ARGUMENT, message)
