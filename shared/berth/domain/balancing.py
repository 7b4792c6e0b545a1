"""Moves that begin, as a pure step of the fleet's tick: to relieve a shard, to free it, or by a rule.

With no shard over its mark, none draining, no model in a wrong pool and none that an operator wants
elsewhere, nothing begins: a fleet is never moved to make it even. A shard is relieved of less than what it
is over plus one model. From a shard that drains each model goes once, so that at most what it holds is moved,
and nothing else: no target is filled over its mark.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import NamedTuple

from berth.domain import grounds, relief
from berth.domain.fleet import ModelRow
from berth.domain.grounds import Ground
from berth.domain.moves import Begin, End, Moves, Rehoming, Scene, moving
from berth.domain.placement import BASE_BYTES
from berth.domain.shard_status import Summary

# Documents of models that serve nowhere, changed in one tick.
MAX_REHOMED = 200


class Wish(NamedTuple):
    """A model that should be elsewhere: why, and where an operator wants it ("": anywhere)."""

    row: ModelRow
    reason: str
    target: str = ""


class Excess(NamedTuple):
    """By how much a shard is over its mark."""

    bytes: int
    models: int


@dataclass(slots=True)
class Budget:
    """What may still begin in this tick; what is under way counts."""

    models: int
    bytes: int
    idle: bool
    begun: list[Begin] = field(default_factory=list)

    def takes(self, held: int) -> bool:
        """Take a model of so many bytes, if it fits; one larger than all goes alone."""
        if self.models < 1 or (held > self.bytes and not self.idle):
            return False
        self.models, self.bytes, self.idle = self.models - 1, self.bytes - held, False
        return True


def decide(scene: Scene, ends: Sequence[End], replaced: AbstractSet[str]) -> Moves:
    """Return what begins beside the moves that end; `replaced` are models that get a place another way."""
    resting = [row for row in scene.rows if not moving(row) and row.servable not in replaced]
    served = [row for row in resting if not row.projection.retired]
    idle = [row for row in resting if row.projection.retired and _drains(row, scene)]
    refused = _refused(scene)
    forced, pressed = _forced(scene, served, refused), _pressed(scene)
    if not (forced or pressed or idle):
        return Moves(end=tuple(ends), refused=refused)
    ground = grounds.survey(scene)
    forced.sort(key=lambda wish: -ground.needs[wish.row.servable].resident_bytes)
    asked = itertools.chain(
        (wish for wish in forced if wish.target),
        (wish for name in pressed for wish in _relieving(ground, name, pressed[name], served)),
        (wish for wish in forced if not wish.target),
    )
    ending = {end.servable for end in ends}
    budget = _budget(ground, [r for r in scene.rows if moving(r) and r.servable not in ending])
    stuck = _begin(asked, ground, budget)
    return Moves(tuple(budget.begun), tuple(ends), _rehomed(idle, scene), {**stuck, **refused})


def _budget(ground: Ground, away: Sequence[ModelRow]) -> Budget:
    policy = ground.scene.policy
    held = sum(ground.needs[row.servable].resident_bytes for row in away)
    return Budget(policy.at_once - len(away), policy.bytes_at_once - held, idle=not away)


def _begin(asked: Iterable[Wish], ground: Ground, budget: Budget) -> dict[str, str]:
    """Begin what has room until the budget is used up; return why others cannot begin."""
    stuck = {}
    for row, reason, target in asked:
        placed = ground.place(row, target)
        need = ground.needs[row.servable]
        if not placed.shard:
            against = placed.choices[0].against if target and placed.choices else ""
            stuck[row.servable] = f"{reason}: {against or placed.reason}"
        elif budget.takes(need.resident_bytes):
            ground.take(row, placed.shard)
            budget.begun.append(
                Begin(
                    servable=row.servable,
                    source=row.shards[0],
                    placed=placed,
                    reason=reason,
                    bytes=need.resident_bytes,
                    generation=row.projection.document,
                )
            )
        else:
            break  # in turn: a large model is not passed by small ones for ever
    return stuck


def _forced(scene: Scene, served: Sequence[ModelRow], refused: Mapping[str, str]) -> list[Wish]:
    """Models that an operator wants elsewhere, that are in a wrong pool, or whose shard drains."""
    found = []
    for row in served:
        source = scene.shards.get(row.shards[0])
        if source is None:
            continue
        target = "" if row.servable in refused else scene.policy.wanted.get(row.servable, "")
        if target not in ("", source.shard):
            found.append(Wish(row, "an operator wants it there", target))
        elif source.state != "active":
            word = "drains" if source.state == "draining" else "is to be removed"
            found.append(Wish(row, f"{source.shard} {word}"))
        elif source.pool != row.pool:
            found.append(Wish(row, f"its pool is {row.pool or 'the common one'}"))
    return found


def _refused(scene: Scene) -> dict[str, str]:
    """Say of an operator's wishes why they cannot be."""
    wanted = scene.policy.wanted
    rows = {row.servable: row for row in scene.rows if row.servable in wanted} if wanted else {}
    said = {name: _against(rows.get(name), wanted[name], scene) for name in sorted(wanted)}
    return {name: why for name, why in said.items() if why}


def _against(row: ModelRow | None, target: str, scene: Scene) -> str:
    shard = scene.shards.get(target)
    if row is None or row.projection.retired:
        return "no such model is served"
    if shard is None:
        return f"there is no shard {target}"
    if shard.state != "active":
        return f"{target} is {shard.state}"
    if shard.pool != row.pool:
        return f"{target} is of another pool"
    move = row.move
    if move and row.shards[0] != target and move.avoids(target, scene.policy, scene.now):
        return f"it was given up there: {move.why}"
    return ""


def _pressed(scene: Scene) -> dict[str, Excess]:
    """Return by how much each shard is over its mark that is settled and has nothing on its way."""
    busy = {shard for row in scene.rows if moving(row) for shard in row.shards}
    found = {}
    for name, summary in sorted(scene.summaries.items()):
        shard = scene.shards.get(name)
        if shard is None or shard.state != "active" or name in busy | scene.unsettled:
            continue
        excess = _excess(summary, shard.memory_bytes, shard.max_models, scene.policy.high_water)
        if any(excess) and not summary.rollouts:
            found[name] = excess
    return found


def _excess(summary: Summary, bound: int, most: int, mark: float) -> Excess:
    held = summary.capacity
    return Excess(max(0, held.bytes - int(bound * mark)), max(0, held.models - int(most * mark)))


def _relieving(
    ground: Ground, shard: str, excess: Excess, served: Sequence[ModelRow]
) -> list[Wish]:
    """Models whose leaving relieves a shard: those that have not moved lately and have a place to go."""
    scene = ground.scene
    here = {row.servable: row for row in served if row.shards[0] == shard}
    held = {name: ground.needs[name] for name in here}
    able = {
        name
        for name, row in here.items()
        if held[name].resident_bytes
        and name not in scene.policy.wanted
        and not (row.move and row.move.rests(scene.policy, scene.now))
        and ground.place(row).shard
    }
    chosen = relief.chosen(held, able, excess_bytes=excess.bytes, excess_models=excess.models)
    over = f"{shard} is over its mark by {excess.bytes} bytes and {excess.models} models"
    return [Wish(here[name], over) for name in chosen]


def _drains(row: ModelRow, scene: Scene) -> bool:
    source = scene.shards.get(row.shards[0])
    return source is not None and source.state != "active"


def _rehomed(idle: Sequence[ModelRow], scene: Scene) -> tuple[Rehoming, ...]:
    """Return where models that serve nowhere are at home now: the emptiest shard of their pool."""
    used = {name: one.capacity.bytes for name, one in scene.summaries.items()}
    found = []
    for row in idle[:MAX_REHOMED]:
        open_ = grounds.open_to(row, scene)
        if open_:
            best = min(open_, key=lambda n: (used.get(n, BASE_BYTES) / open_[n].memory_bytes, n))
            found.append(Rehoming(row.servable, row.shards[0], best, row.projection.document))
    return tuple(found)
