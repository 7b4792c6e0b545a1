"""How a command fails: what was wrong, where, what to do, and an exit code.

0: answered. 1: the deployment did not answer, or with an error of its own. 2: wrong usage (Typer's own).
3: it does not let you ask. 4: there is no such thing.
"""

from enum import IntEnum


class Code(IntEnum):
    """Exit codes, those of all commands."""

    NOT_ANSWERED = 1
    USAGE = 2
    NOT_ALLOWED = 3
    NOT_FOUND = 4


class Failure(Exception):
    """A command ends here: `what` was wrong, `where`, and what to `do`."""

    def __init__(self, code: Code, what: str, *, where: str, do: str) -> None:
        """All three are said to the user as they are."""
        super().__init__(what)
        self.code = code
        self.where = where
        self.do = do

    def __str__(self) -> str:
        """Three lines for standard error."""
        return f"berth: {self.args[0]}\n  where: {self.where}\n  what to do: {self.do}"
