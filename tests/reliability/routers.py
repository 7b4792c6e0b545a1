"""What routers would send, looked at each time the world moves: nothing goes where it is not served.

A router follows routes for a while after they were replaced. Whatever the routes it follows name must
be AVAILABLE on every replica that serves. What ends servers is left out: it leaves at once.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from berth.domain import documents
from berth.domain.routing import ShardRoutes

# A router polls once a second; what it read then takes effect within another.
FOLLOWED = timedelta(seconds=2)


@dataclass
class Routers:
    """Remembers which routes were stored lately, and what was not served though they named it."""

    followed: dict[str, list[tuple[datetime, frozenset[tuple[str, int]]]]] = field(
        default_factory=dict
    )
    seen: dict[str, int] = field(default_factory=dict)
    misled: set[str] = field(default_factory=set)
    looks: int = 0

    def look(self, fleet) -> None:
        """Compare what routers follow now with what the replicas serve now."""
        for shard in fleet.workloads._shards():
            for name, number in self._follows(fleet, shard):
                self.looks += 1
                self._ask(fleet, shard, name, number)

    def _follows(self, fleet, shard):
        """Every (servable, version) of the routes that were current at some time within FOLLOWED."""
        name = documents.routes_name(shard)
        stored = fleet.buckets.objects["control"].get(name)
        known = self.followed.setdefault(shard, [])
        if stored is not None and self.seen.get(shard) != stored.stat.generation:
            self.seen[shard] = stored.stat.generation
            known.append((stored.stat.updated, _named(stored.data)))
        horizon = fleet.clock.now() - FOLLOWED
        while len(known) > 1 and known[1][0] < horizon:
            del known[0]
        return sorted(frozenset().union(*(named for _, named in known)))

    def _ask(self, fleet, shard, name, number) -> None:
        for pod in fleet.workloads._pods_of(shard):
            server = fleet.servers._servers.get(pod.address)
            if not pod.serving or server is None:
                continue
            if (server.base_path(name), number) in fleet.servers.killers:
                continue
            said = server.statuses(name).get(number)
            if said is None or said.state != "AVAILABLE":
                self.misled.add(f"{shard}: {name}/{number} is {said and said.state} on {pod.name}")


def _named(data):
    models = ShardRoutes.decode(data).models
    return frozenset((name, n) for name, route in models.items() for n in route.versions)
