"""Serving configs: TF Serving's ModelServerConfig as an immutable value, and its canonical text.

Every entry names its versions (`specific`): a listing that is late or empty can then unload
nothing that another version would not replace.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from google.protobuf import text_encoding, text_format

from berth.domain.errors import Damaged
from berth.protos import tfserving_pb2

PLATFORM = "tensorflow"
# A line of `render` in which nothing is escaped. protobuf's parser takes 40 times as long, and a pass
# reads its shard's two configs at each look.
_HEAD, _TAIL = "model_config_list {\n", "}\n"
_PLAIN = re.compile(
    r'  config \{ name: "([ !#-\[\]-~]+)" base_path: "([ !#-\[\]-~]+)" model_platform: "tensorflow" '
    r"model_version_policy \{ specific \{ ((?:versions: [0-9]{1,18} )+)\} \} \}\n",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One servable: its folder as the server sees it, and the versions named, ascending."""

    base_path: str
    versions: tuple[int, ...]


Config = Mapping[str, Entry]


def entry(base_path: str, versions: Iterable[int]) -> Entry:
    """Return an entry in canonical order."""
    return Entry(base_path, tuple(sorted(set(versions))))


def render(config: Config) -> str:
    """Return the canonical text, ordered by servable. An empty config is a valid empty list."""
    lines = [_line(name, config[name]) for name in sorted(config)]
    return "\n".join(["model_config_list {", *lines, "}", ""])


def parse(text: str) -> dict[str, Entry]:
    """Parse a config that `render` wrote; raise Damaged for anything else."""
    plain = _plain(text)
    if plain is not None:
        return plain
    message = tfserving_pb2.ModelServerConfig()
    try:
        text_format.Parse(text, message)
    except text_format.ParseError as error:
        raise Damaged(f"not a ModelServerConfig: {error}") from error
    if message.WhichOneof("config") != "model_config_list":
        raise Damaged("not a ModelServerConfig: it has no model_config_list")
    return {
        item.name: entry(item.base_path, item.model_version_policy.specific.versions)
        for item in message.model_config_list.config
    }


def _plain(text: str) -> dict[str, Entry] | None:
    """Return what a text of plain lines says; None for any other text, whatever that is."""
    if not text.isascii() or not text.startswith(_HEAD):
        return None
    found: dict[str, Entry] = {}
    at = len(_HEAD)
    while (line := _PLAIN.match(text, at)) is not None:
        found[line[1]] = entry(line[2], map(int, line[3].split()[1::2]))
        at = line.end()
    lines = text.count("\n") - 2
    return found if text[at:] == _TAIL and len(found) == lines else None


def _line(name: str, item: Entry) -> str:
    versions = " ".join(f"versions: {number}" for number in item.versions)
    return (
        f"  config {{ name: {_quoted(name)} base_path: {_quoted(item.base_path)} "
        f'model_platform: "{PLATFORM}" model_version_policy {{ specific {{ {versions} }} }} }}'
    )


def _quoted(text: str) -> str:
    """Return a text that cannot end its quotes, whatever is in it."""
    return f'"{text_encoding.CEscape(text.encode(), as_utf8=False)}"'
