"""What the comments of the generated TypeScript declarations say of each argument.

They come from the provider's own descriptions. Two of their sentences are exact, because the provider's
generator writes them beside the check itself: which values an argument takes ("Possible values: [...]"), and
that an argument is a block.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

_INTERFACE = re.compile(r"^export interface (\w+)( extends cdktn\.TerraformMetaArguments)? \{")
_NAME = re.compile(r"\{@link \S+#(\w+) \w+#\w+\}")
_BLOCK = re.compile(r"^    \* (\w+) block$")
_VALUES = re.compile(r"Possible values: (\[(?:\"[^\"]*\"(?:, )?)+\])")
ROOT = ""


@dataclass(slots=True)
class Documentation:
    """By struct (ROOT for the resource itself): the values an argument takes, and which are blocks."""

    values: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    blocks: dict[str, set[str]] = field(default_factory=dict)


def read(texts: Iterable[str]) -> Documentation:
    """The documentation of one resource, from all of its declarations."""
    found = Documentation()
    for text in texts:
        _read(text.splitlines(), found)
    return found


def _read(lines: list[str], into: Documentation) -> None:
    owner, comment = None, list[str]()
    for line in lines:
        if match := _INTERFACE.match(line):
            owner = ROOT if match[2] or match[1] == "GoogleProviderConfig" else match[1]
            comment = []
        elif line == "}":
            owner = None
        elif owner is not None and line.startswith("    readonly "):
            _argument(owner, comment, into)
            comment = []
        elif owner is not None:
            comment.append(line)


def _argument(owner: str, comment: list[str], into: Documentation) -> None:
    names = [match[1] for line in comment if (match := _NAME.search(line))]
    if not names:
        return
    if any((match := _BLOCK.match(line)) and match[1] == names[-1] for line in comment):
        into.blocks.setdefault(owner, set()).add(names[-1])
    # a list of values may go on for lines
    text = " ".join(line.strip().removeprefix("*").strip() for line in comment)
    if match := _VALUES.search(text):
        into.values.setdefault(owner, {})[names[-1]] = json.loads(match[1])
