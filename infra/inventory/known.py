"""Leaves out what the offline provider made up: a review must not take an invention for a setting."""

import re
from typing import Any

_TIME = "2026-01-01T00:00:00Z"


def known(values: Any, unknown: Any, kind: str) -> Any:  # noqa: ANN401 - any JSON
    """An applied resource's values without those that only the cloud will know.

    `unknown` is the plan's `after_unknown`. Names that follow from the configuration, such as a service
    account's address, are kept: the provider forms them as Google does.
    """
    if isinstance(values, dict):
        kept = {name: known(one, _mask(unknown, name), kind) for name, one in values.items()}
        return {name: one for name, one in kept.items() if one is not None}
    if isinstance(values, list):
        return [known(one, _mask(unknown, index), kind) for index, one in enumerate(values)]
    return values if unknown is not True or _named(values, kind) else None


def _mask(unknown: Any, step: str | int) -> Any:  # noqa: ANN401 - any JSON
    if unknown is True:
        return True
    if isinstance(unknown, dict):
        return unknown.get(str(step))
    if isinstance(unknown, list) and isinstance(step, int) and step < len(unknown):
        return unknown[step]
    return None


def _named(value: object, kind: str) -> bool:
    words = kind.removeprefix("google_").replace("_", "-")
    made_up = re.compile(rf"{words}-[a-z0-9-]+-[0-9a-f]{{12}}")
    return isinstance(value, str) and value != _TIME and not made_up.fullmatch(value)
