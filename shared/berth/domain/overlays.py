"""What a pool's shards have that others have not: an operator's patches over the shard's manifests.

A mapping is merged, null takes a field away, a list whose items have names is merged by them, and any
other value replaces what was there.
"""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

Manifest = Mapping[str, Any]


def overlaid(manifests: Sequence[Manifest], patches: Sequence[Manifest]) -> tuple[Manifest, ...]:
    """Return the manifests with the patches of the same kind over them."""
    by_kind = {str(patch["kind"]): patch for patch in patches}
    return tuple(
        merged(manifest, by_kind[manifest["kind"]]) if manifest["kind"] in by_kind else manifest
        for manifest in manifests
    )


def merged(under: Manifest, over: Manifest) -> Manifest:
    """Return one mapping with another over it; neither is changed."""
    made = {key: copy.deepcopy(value) for key, value in under.items()}
    for key, value in over.items():
        if value is None:
            made.pop(key, None)
        else:
            made[key] = _value(made.get(key), value)
    return made


def _value(under: object, over: object) -> Any:  # noqa: ANN401 - any YAML
    if isinstance(over, Mapping):
        return merged(under if isinstance(under, Mapping) else {}, over)
    if _named(under) and _named(over):
        return _list(under, over)  # type: ignore[arg-type]
    return copy.deepcopy(over)


def _list(under: Sequence[Manifest], over: Sequence[Manifest]) -> list[Manifest]:
    made = {item["name"]: item for item in under}
    for item in over:
        made[item["name"]] = merged(made.get(item["name"], {}), item)
    return list(made.values())


def _named(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(i, Mapping) and "name" in i for i in value)
