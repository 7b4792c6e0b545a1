"""The filter that runs inside Envoy, in Lua. Data of the package: its parts, in the order they are joined."""

from importlib import resources

PARTS = ("sha256", "message", "target", "table", "filter")


def script() -> str:
    """The whole filter as one Lua text."""
    folder = resources.files(__name__)
    return "\n".join(folder.joinpath(f"{part}.lua").read_text() for part in PARTS)
