"""One round of a router's sidecar: read the fleet's routes and replicas, and write what changed for Envoy.

What is added reaches Envoy before what refers to it, and what is taken away leaves after. What cannot
be read is taken as it was last: a router serves with everything else dead.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import structlog

from berth.domain import door, door_bootstrap, door_table
from berth.domain.errors import BerthError, Damaged, Unavailable
from berth.domain.routing import ShardRoutes
from berth.ports import Envoy, ObjectStore, Replicas

LOG = structlog.get_logger()
PREFIX = "routes/"
BOOTSTRAP = "bootstrap.json"


@dataclass(slots=True)
class RouteFleet:
    """A router's sidecar. One thread."""

    control: ObjectStore
    replicas: Replicas
    envoy: Envoy
    site: door.Site
    heap_bytes: int
    _read: dict[str, tuple[int, ShardRoutes]] = field(default_factory=dict)
    _files: dict[str, bytes] = field(default_factory=dict)
    _done: tuple[Mapping[str, int], Mapping[str, tuple[str, ...]]] | None = None
    _looked: bool = False
    _listed: bool = False

    def round(self) -> int:
        """Bring the files up to date and return how many changed.

        Raises Unavailable before everything was read once.
        """
        try:
            self._refresh()
        except BerthError as error:
            if not self._listed:
                raise Unavailable(f"no routes yet: {error}") from error
            LOG.warning("routes are followed as they were", reason=str(error))
        ready = self.replicas.ready()
        seen = ({name: generation for name, (generation, _) in self._read.items()}, ready)
        if seen == self._done:
            return 0
        fleet = [routes for _, (_, routes) in sorted(self._read.items())]
        changed, waiting = self._apply(door.render(self.site, fleet, ready))
        self._done = None if waiting else seen
        return changed

    def _refresh(self) -> None:
        """Fetch the documents that are new. Each that cannot be read stays as it was."""
        found = {stat.name: stat.generation for stat in self.control.list(PREFIX)}
        if not found and self._read:
            raise Damaged("all routes are gone at once: nobody takes a whole fleet away")
        self._read = {name: kept for name, kept in self._read.items() if name in found}
        for name, generation in found.items():
            if name not in self._read or self._read[name][0] != generation:
                self._fetch(name)
        self._listed = True

    def _fetch(self, name: str) -> None:
        stored = self.control.get(name)
        if stored is None:  # taken away since the listing: the next one will say so
            return
        try:
            routes = ShardRoutes.decode(stored.data)
        except Damaged as error:
            if not self._listed:
                raise
            LOG.warning("a shard's routes are followed as they were", reason=f"{name}: {error}")
            return
        self._read[name] = (stored.stat.generation, routes)

    def _apply(self, wanted: door.Doorway) -> tuple[int, bool]:
        """Write what differs; how many files did, and whether something waits for Envoy."""
        if not self._looked:
            self._files = dict(self.envoy.files())
            self._looked = True
        # Clusters that leave stay as they were until nothing refers to them.
        both = {**door.known(self._files.get(door.CLUSTERS, b"")), **wanted.clusters}
        changed = self._write(door.listed(both))
        changed += self._write(wanted.listeners)
        table, waiting = self._settled(wanted)
        changed += self._write(table)
        changed += self._clear((door_table.MODELS, door_table.CUSTOMERS), wanted.table)
        if not waiting:
            changed += self._write(door.listed(wanted.clusters))
        changed += self._write({BOOTSTRAP: door_bootstrap.render(self.site, self.heap_bytes)})
        return changed, waiting

    def _settled(self, wanted: door.Doorway) -> tuple[dict[str, bytes], bool]:
        """The table without the models whose shard Envoy does not know yet, and whether there are any."""
        new = {
            name: data
            for name, data in wanted.table.items()
            if self._files.get(name) != data and door_table.shard_of(data)
        }
        if not new:
            return dict(wanted.table), False
        try:
            reachable = door.reachable(self.envoy.clusters())
        except Unavailable:  # it does not run yet, and reads its clusters first when it does
            return dict(wanted.table), False
        late = {name for name, data in new.items() if door_table.shard_of(data) not in reachable}
        kept = {name: data for name, data in wanted.table.items() if name not in late}
        return kept, bool(late)

    def _write(self, wanted: Mapping[str, bytes]) -> int:
        new = {name: data for name, data in wanted.items() if self._files.get(name) != data}
        for name, data in new.items():
            self.envoy.write(name, data)
            self._files[name] = data
        return len(new)

    def _clear(self, folders: tuple[str, ...], wanted: Collection[str]) -> int:
        gone = [name for name in self._files if name.startswith(folders) and name not in wanted]
        for name in gone:
            self.envoy.remove(name)
            del self._files[name]
        return len(gone)
