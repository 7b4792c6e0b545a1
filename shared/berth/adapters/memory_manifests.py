"""Server-side apply of one field manager, as the memory twin of Kubernetes needs it."""

import json
from collections.abc import Mapping
from typing import Any


def copied(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return a copy of a manifest or a part of one."""
    return json.loads(json.dumps(value))


def applied(
    live: Mapping[str, Any], before: Mapping[str, Any], manifest: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the live object after an apply; fields that the manager no longer applies go.

    Lists are taken whole; Kubernetes merges some of them by key.
    """
    merged = dict(copied(live))
    for key in before.keys() - manifest.keys():
        if not isinstance(before[key], Mapping) or key not in merged:
            merged.pop(key, None)
        else:
            merged[key] = applied(merged[key], before[key], {})
            if not merged[key]:
                del merged[key]
    for key, wanted in manifest.items():
        if isinstance(wanted, Mapping):
            here, was = merged.get(key), before.get(key)
            merged[key] = applied(
                here if isinstance(here, Mapping) else {},
                was if isinstance(was, Mapping) else {},
                wanted,
            )
        else:
            merged[key] = copied(wanted)
    return merged


def template_of(deployment: Mapping[str, Any]) -> str:
    """Return the pod template as canonical text: what decides whether a pod is of this rollout."""
    return json.dumps(deployment.get("spec", {}).get("template", {}), sort_keys=True)


def replicas_of(deployment: Mapping[str, Any], autoscaler: Mapping[str, Any] | None) -> int:
    """Return how many pods there should be: within the autoscaler's bounds if there is one."""
    wanted = int(deployment.get("spec", {}).get("replicas", 1))
    if autoscaler is None or wanted == 0:
        return wanted
    bounds = autoscaler.get("spec", {})
    most = int(bounds.get("maxReplicas", wanted))
    return max(int(bounds.get("minReplicas", 1)), min(most, wanted))
