"""The shards that may take a model that moves: as full as they will be with all that is on its way."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from berth.domain import fleet, placement
from berth.domain.documents import Shard
from berth.domain.fleet import ModelRow
from berth.domain.footprint import Footprint
from berth.domain.moves import Scene, footprint
from berth.domain.placement import Decision, Room, Wanted
from berth.domain.shard_status import Summary


@dataclass(frozen=True, slots=True)
class Ground:
    """What each model needs, by servable, the room under the mark of each shard that may take one, and
    how many models of each customer a shard has.
    """

    scene: Scene
    needs: Mapping[str, Footprint]
    rooms: dict[str, Room]
    held: Mapping[str, Counter[str]]

    def place(self, row: ModelRow, target: str = "") -> Decision:
        """Return the best place for a model: one of the fullest shards of its pool that stay under their mark.

        With a `target` only that one is looked at.
        """
        scene, move = self.scene, row.move
        allowed = [
            self.rooms[name]
            for name in open_to(row, scene)
            if name in self.rooms
            and target in ("", name)
            and not (move and move.avoids(name, scene.policy, scene.now))
        ]
        wanted = Wanted(
            row.servable, self.needs[row.servable], pool=row.pool, held=self.held[row.customer]
        )
        return placement.place(wanted, allowed)

    def take(self, row: ModelRow, shard: str) -> None:
        """Count a model where it will be."""
        self.rooms[shard] = self.rooms[shard].taking(self.needs[row.servable])
        self.held[row.customer][shard] += 1


def open_to(row: ModelRow, scene: Scene) -> dict[str, Shard]:
    """Return the other active shards of a model's pool."""
    return {
        name: shard
        for name, shard in scene.shards.items()
        if shard.state == "active" and shard.pool == row.pool and name != row.shards[0]
    }


def survey(scene: Scene) -> Ground:
    """Look at every shard that is active, was seen, and misses no replica."""
    needs = {row.servable: footprint(row) for row in scene.rows}
    stay: dict[str, list[Footprint]] = defaultdict(list)
    come: dict[str, list[Footprint]] = defaultdict(list)
    for row in scene.rows:
        if not row.projection.retired:
            stay[row.shards[0]].append(needs[row.servable])
        for target in row.shards[1:]:
            come[target].append(needs[row.servable])
    rooms = {
        name: _room(shard, summary, stay[name], come[name], scene.policy.high_water)
        for name, shard in sorted(scene.shards.items())
        if (summary := scene.summaries.get(name)) is not None
        and shard.state == "active"
        and summary.ready >= shard.replicas_min
    }
    return Ground(scene, needs, rooms, fleet.held(scene.rows))


def _room(
    shard: Shard, summary: Summary, stay: list[Footprint], come: list[Footprint], mark: float
) -> Room:
    """What was seen, and what the documents say, differ by what is on its way: the larger counts."""
    coming = sum(placement.needs(one) for one in come)
    return Room(
        shard=shard.shard,
        models=max(summary.capacity.models, len(stay)) + len(come),
        max_models=int(shard.max_models * mark),
        used_bytes=max(summary.capacity.bytes, placement.needed_bytes(stay)) + coming,
        bound_bytes=int(shard.memory_bytes * mark),
        pool=shard.pool,
    )
