"""A process's log of JSON lines, read while it may be written."""

import json


def entries(path):
    """The lines in order; one that is still being written is not there yet."""
    lines = path.read_text().splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("\n")]
