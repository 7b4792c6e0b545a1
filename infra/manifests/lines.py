"""Reads YAML and remembers the line of every key: what is wrong is named by file and line."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Key = str | int
# ten times as fast where PyYAML has libyaml, as its wheels do
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """Something wrong in a file; `line` counts from 1."""

    path: Path
    line: int
    text: str

    def __str__(self) -> str:
        """As compilers and editors write it."""
        path = self.path
        if path.is_relative_to(Path.cwd()):
            path = path.relative_to(Path.cwd())
        return f"{path}:{self.line}: {self.text}"


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document of a file: what it says, and where."""

    path: Path
    value: dict[str, Any]
    node: yaml.Node

    @property
    def kind(self) -> str:
        """The object's kind, "" where it has none."""
        return str(self.value.get("kind", ""))

    def problem(self, where: tuple[Key, ...], text: str) -> Problem:
        """A problem at the place, or at the nearest one above it that exists."""
        dotted = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in where)
        return Problem(self.path, self._line(where), f"{self.kind}{dotted}: {text}")

    def _line(self, where: tuple[Key, ...]) -> int:
        node, line = self.node, self.node.start_mark.line
        for key in where:
            found = _child(node, key)
            if found is None:
                break
            line, node = found
        return line + 1


def read(path: Path) -> tuple[list[Document], list[Problem]]:
    """The documents of a file and what is wrong with its YAML; an empty document is none."""
    documents: list[Document] = []
    problems: list[Problem] = []
    try:
        for node, value in _nodes(path.read_text()):
            problems += [Problem(path, line, text) for line, text in _twice(node)]
            if isinstance(value, dict):
                documents.append(Document(path, value, node))
            elif value is not None:
                text = f"an object is expected, not {value!r:.40}"
                problems.append(Problem(path, node.start_mark.line + 1, text))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        problems.append(Problem(path, line, f"no YAML: {error.problem or error.context}"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        problems.append(Problem(path, 1, f"no YAML: {error}"))
    return documents, problems


def _nodes(text: str) -> Iterator[tuple[yaml.Node, Any]]:
    loader = _Loader(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            assert node is not None
            yield node, loader.construct_document(node)
    finally:
        loader.dispose()


def _twice(node: yaml.Node) -> Iterator[tuple[int, str]]:
    """Keys that a mapping has twice: YAML's reader keeps the last one without a word."""
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            if key.value in seen:
                yield key.start_mark.line + 1, f"{key.value}: twice in one mapping"
            seen.add(key.value)
            yield from _twice(value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _twice(item)


def _child(node: yaml.Node, key: Key) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if name.value == str(key):
                return name.start_mark.line, value
    elif isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        return node.value[key].start_mark.line, node.value[key]
    return None
