"""Which models leave a shard that is over its mark: the most help per byte moved, and not one too many."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from berth.domain import placement
from berth.domain.footprint import Footprint


def chosen(
    held: Mapping[str, Footprint],
    able: AbstractSet[str],
    *,
    excess_bytes: int,
    excess_models: int,
) -> tuple[str, ...]:
    """Return the models to move, of those that are `able` to; `held` is all that the shard holds.

    Without any one of them the shard would not be relieved; so their resident bytes are less than the
    excess and the smallest of them together. Where all that can leave is not enough, all of it helps.
    """
    left, picked = dict(held), list[str]()
    before = placement.needed_bytes(held.values())
    while True:
        relieved = before - placement.needed_bytes(left.values())
        wanting = excess_bytes - relieved
        if wanting <= 0 and len(picked) >= excess_models:
            break
        free = sorted(able & set(left))
        if not free:
            break
        best = max(free, key=lambda name: _worth(name, left, max(0, wanting)))
        picked.append(best)
        del left[best]
    return _needed(picked, held, excess_bytes, excess_models)


def _worth(name: str, left: Mapping[str, Footprint], wanting: int) -> tuple[float, int]:
    """How much of what is wanting a model's leaving gives for each byte moved, then its size.

    With bytes enough, and only models too many, the smallest is worth most.
    """
    size = max(1, left[name].resident_bytes)
    if not wanting:
        return 0.0, -size
    rest = (one for other, one in left.items() if other != name)
    helped = placement.needed_bytes(left.values()) - placement.needed_bytes(rest)
    return min(helped, wanting) / size, size


def _needed(
    picked: list[str], held: Mapping[str, Footprint], excess_bytes: int, excess_models: int
) -> tuple[str, ...]:
    """Leave out, the largest first, what the shard is relieved without."""
    before = placement.needed_bytes(held.values())
    kept = list(picked)
    for name in sorted(picked, key=lambda one: (-held[one].resident_bytes, one)):
        rest = [one for one in kept if one != name]
        staying = [one for other, one in held.items() if other not in rest]
        enough = before - placement.needed_bytes(staying) >= excess_bytes
        if enough and len(rest) >= excess_models:
            kept = rest
    return tuple(kept)
