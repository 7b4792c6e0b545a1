"""The door: Envoy's whole configuration as files, a pure function of all routes and ready pods.

Two kinds of files. xDS (listeners, clusters, endpoints) in Envoy's JSON, which change with the shards
and their pods; and the routing table, one small file a model that the Lua filter reads at each
request, so that a change costs the same in a fleet of ten models and of ten thousand.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field

from berth.domain import door_clusters, door_listener, door_table, quotas
from berth.domain.errors import Damaged
from berth.domain.routing import ShardRoutes

LISTENERS, CLUSTERS = "lds.json", "cds.json"
ENDPOINTS = "eds/"
_KINDS = tuple(f"{kind}-" for kind in door_clusters.PORTS)


@dataclass(frozen=True, slots=True)
class Site:
    """Where a door stands: the folder its files are in, its own address and port, and the filter (Lua)."""

    folder: str
    address: str
    port: int
    admin: str
    """Path of the Unix socket of Envoy's admin interface."""
    health_port: int
    script: str
    rates: Mapping[str, int] = field(default_factory=quotas.requests_per_second)
    """Requests per second of a customer, by plan."""


@dataclass(frozen=True, slots=True)
class Doorway:
    """The files of a door by name, in the three groups that must reach Envoy one after the other.

    What is added becomes known from the left to the right, what is taken away from the right to the left.
    """

    shards: frozenset[str]
    endpoints: Mapping[str, bytes]
    listing: Mapping[str, bytes]
    table: Mapping[str, bytes]


def render(site: Site, fleet: Sequence[ShardRoutes], pods: Mapping[str, Sequence[str]]) -> Doorway:
    """Return the files; `pods` maps a shard to the addresses of its ready replicas.

    A shard without routes or without pods has clusters all the same, so that Envoy knows them early.
    """
    shards = sorted({one.shard for one in fleet} | set(pods))
    ready = {shard: tuple(sorted(set(pods.get(shard, ())))) for shard in shards}
    endpoints = {
        f"{ENDPOINTS}{name}.json": data
        for shard in shards
        for name, data in door_clusters.endpoints(shard, ready[shard]).items()
    }
    told = (site.address, site.port)
    return Doorway(
        shards=frozenset(shards),
        endpoints=endpoints,
        listing={
            CLUSTERS: clusters(site, shards),
            LISTENERS: door_listener.listeners(told, script(site), site.rates),
        },
        table=door_table.table(fleet, ready),
    )


def clusters(site: Site, shards: Iterable[str]) -> bytes:
    """The clusters' file for these shards."""
    return door_clusters.clusters(sorted(shards), f"{site.folder}/{ENDPOINTS}")


def known(data: bytes) -> frozenset[str]:
    """The shards of a clusters' file; none of one that was never written. Raises Damaged."""
    try:
        names = [one["name"] for one in json.loads(data or b'{"resources":[]}')["resources"]]
    except (ValueError, TypeError, KeyError) as error:
        raise Damaged("not a clusters' file") from error
    return frozenset(name.partition("-")[2] for name in names)


def reachable(clusters: Set[str]) -> frozenset[str]:
    """The shards both of whose clusters are among these."""
    found = Counter(one.partition("-")[2] for one in clusters if one.startswith(_KINDS))
    return frozenset(shard for shard, count in found.items() if count == len(_KINDS))


def script(site: Site) -> str:
    """The filter with what it must know of its site in front: where the table is, how long a body may be."""
    settings = f'local SETTINGS = {{ folder = "{site.folder}", body = {door_listener.BODY_BYTES} }}'
    return f"{settings}\n{site.script}"
