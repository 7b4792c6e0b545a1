"""The routing table of the door: one file a model, as lines of words, and one a customer.

The filter looks models up by name at each request. A customer's file tells it which keys are known
where the model is not: a caller who guesses names learns nothing without a key.
"""

from collections.abc import Mapping, Sequence

from berth.domain.quotas import PLANS
from berth.domain.routing import ModelRoute, ShardRoutes

MODELS, CUSTOMERS = "models/", "customers/"
LEAST_PLAN = "free"


def table(fleet: Sequence[ShardRoutes], ready: Mapping[str, Sequence[str]]) -> dict[str, bytes]:
    """Return the files by name; `ready` maps shards to the addresses of their ready replicas."""
    found: dict[str, bytes] = {}
    keys: dict[str, set[str]] = {}
    for name, entries in sorted(_by_model(fleet).items()):
        customer = name.partition(".")[0]
        keys.setdefault(customer, set()).update(key for _, route in entries for key in route.keys)
        shard, route = max(entries, key=lambda entry: _preference(entry, ready))
        if route.versions or route.reason:
            found[f"{MODELS}{name}"] = _lines(shard, route)
    for customer, known in sorted(keys.items()):
        found[f"{CUSTOMERS}{customer}"] = _text([f"key {key}" for key in sorted(known)])
    return found


def shard_of(data: bytes) -> str | None:
    """The shard that a model's file names; None for a customer's."""
    word, _, shard = data.partition(b"\n")[0].decode().partition(" ")
    return shard if word == "shard" else None


def _by_model(fleet: Sequence[ShardRoutes]) -> dict[str, list[tuple[str, ModelRoute]]]:
    found: dict[str, list[tuple[str, ModelRoute]]] = {}
    for routes in fleet:
        for name, route in routes.models.items():
            found.setdefault(name, []).append((routes.shard, route))
    return found


def _preference(
    entry: tuple[str, ModelRoute], ready: Mapping[str, Sequence[str]]
) -> tuple[bool, bool, bool, bool, int, str]:
    """Of several shards: one that serves, with replicas, no move's target, the newest document."""
    shard, route = entry
    serves, waits = bool(route.versions), bool(route.reason)
    return serves, waits, bool(ready.get(shard)), not route.arriving, route.document, shard


def _lines(shard: str, route: ModelRoute) -> bytes:
    served = set(route.versions)
    plan = route.plan if route.plan in PLANS else LEAST_PLAN
    default = [route.default] if route.default in served else []
    return _text(
        [
            f"shard {shard}",
            f"plan {plan}",
            *(f"key {key}" for key in sorted(route.keys)),
            *(f"version {number}" for number in sorted(served)),
            *(f"default {number}" for number in default),
            *(f"canary {n} {part}" for n, part in sorted(route.canary.items()) if n in served),
            *(f"label {label} {n}" for label, n in sorted(route.labels.items()) if n in served),
            *([f"reason {' '.join(route.reason.split())}"] if route.reason else []),
        ]
    )


def _text(lines: Sequence[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()
