"""Serving configs: TF Serving's ModelServerConfig as an immutable value, and its canonical text.

Every entry names its versions (`specific`): a listing that is late or empty can then unload
nothing that another version would not replace.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from google.protobuf import text_encoding, text_format

from berth.domain.errors import Damaged
from berth.protos import tfserving_pb2

PLATFORM = "tensorflow"


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


def _line(name: str, item: Entry) -> str:
    versions = " ".join(f"versions: {number}" for number in item.versions)
    return (
        f"  config {{ name: {_quoted(name)} base_path: {_quoted(item.base_path)} "
        f'model_platform: "{PLATFORM}" model_version_policy {{ specific {{ {versions} }} }} }}'
    )


def _quoted(text: str) -> str:
    """Return a text that cannot end its quotes, whatever is in it."""
    return f'"{text_encoding.CEscape(text.encode(), as_utf8=False)}"'
