"""Writes values as Markdown tables: one row a line, in the order given, the same bytes each time."""

from collections.abc import Iterable, Sequence
from typing import Any


def table(headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table; "none" where there is no row."""
    body = [_row([cell(value) for value in row]) for row in rows]
    if not body:
        return "None."
    return "\n".join([_row(headings), _row(["---"] * len(headings)), *body])


def cell(value: Any) -> str:  # noqa: ANN401 - any JSON
    """A value in one line: lists by commas, objects as `name=value name{...}` without what is empty."""
    if value is None or value in ("", [], {}):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return " ".join(filter(None, (_pair(name, value[name]) for name in sorted(value))))
    if isinstance(value, list):
        separator = "; " if any(isinstance(inner, dict) for inner in value) else ", "
        return separator.join(cell(inner) for inner in value)
    return " ".join(str(value).split()).replace("|", "\\|")


def _pair(name: str, inner: Any) -> str:  # noqa: ANN401 - any JSON
    text = cell(inner)
    if not text:
        return ""
    nested = isinstance(inner, dict) or (isinstance(inner, list) and isinstance(inner[0], dict))
    return f"{name}{{{text}}}" if nested else f"{name}={text}"


def code(text: str) -> str:
    """Text as code; "" stays ""."""
    return f"`{text}`" if text else ""


def pick(values: Any, path: str) -> Any:  # noqa: ANN401 - any JSON
    """The value at a dotted path; a list of one block counts as that block, of more gives a list."""
    for name in path.split("."):
        if isinstance(values, list):
            found = [inner.get(name) for inner in values if inner.get(name) is not None]
            values = found[0] if len(found) == 1 else found
        else:
            values = (values or {}).get(name)
    return values


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"
