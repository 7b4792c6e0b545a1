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
        fleet = [routes for _, (_, routes) in sorted(self._read.items())]
        return self._apply(door.render(self.site, fleet, self.replicas.ready()))

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

    def _apply(self, wanted: door.Doorway) -> int:
        if not self._looked:
            self._files = dict(self.envoy.files())
            self._looked = True
        before = door.known(self._files.get(door.CLUSTERS, b""))
        changed = self._write(wanted.endpoints)
        # Clusters that leave stay until nothing refers to them.
        both = {**wanted.listing, door.CLUSTERS: door.clusters(self.site, wanted.shards | before)}
        changed += self._write(both)
        table, waiting = self._settled(wanted, both[door.CLUSTERS])
        changed += self._write(table)
        folders = (door_table.MODELS, door_table.CUSTOMERS)
        changed += self._clear(folders, wanted.table)
        if not waiting:
            changed += self._write(wanted.listing)
            changed += self._clear((door.ENDPOINTS,), wanted.endpoints)
        changed += self._write({BOOTSTRAP: door_bootstrap.render(self.site, self.heap_bytes)})
        return changed

    def _settled(self, wanted: door.Doorway, clusters: bytes) -> tuple[dict[str, bytes], bool]:
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
