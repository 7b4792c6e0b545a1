"""The door: Envoy's whole configuration as files, a pure function of all routes and ready pods.

Two kinds of files. xDS (listeners, clusters with endpoints) in Envoy's JSON, which change with the
shards and their pods; and the routing table, one small file a model that the Lua filter reads at each
request, so that a change costs the same in a fleet of ten models and of ten thousand.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from berth.domain import door_clusters, door_listener, door_table, quotas
from berth.domain.errors import Damaged
from berth.domain.routing import ShardRoutes

LISTENERS, CLUSTERS = "lds.json", "cds.json"
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


Clusters = Mapping[str, Sequence[Mapping[str, Any]]]
"""Envoy's clusters by shard."""


@dataclass(frozen=True, slots=True)
class Doorway:
    """What a door's files are made of: the clusters by shard, and the listeners and the table by name.

    What is added becomes known in this order, what is taken away in the opposite one.
    """

    clusters: Clusters
    listeners: Mapping[str, bytes]
    table: Mapping[str, bytes]


def render(site: Site, fleet: Sequence[ShardRoutes], pods: Mapping[str, Sequence[str]]) -> Doorway:
    """Return what the files are to hold; `pods` maps a shard to the addresses of its ready replicas.

    A shard without routes or without pods has clusters all the same, so that Envoy knows them early.
    """
    shards = sorted({one.shard for one in fleet} | set(pods))
    ready = {shard: tuple(sorted(set(pods.get(shard, ())))) for shard in shards}
    told = (site.address, site.port)
    return Doorway(
        clusters={shard: door_clusters.of_shard(shard, ready[shard]) for shard in shards},
        listeners={LISTENERS: door_listener.listeners(told, script(site), site.rates)},
        table=door_table.table(fleet, ready),
    )


def listed(clusters: Clusters) -> dict[str, bytes]:
    """The clusters' file."""
    found = (one for _, of_shard in sorted(clusters.items()) for one in of_shard)
    return {CLUSTERS: door_clusters.resources(*map(dict, found))}


def known(data: bytes) -> Clusters:
    """The clusters of such a file; none of one that was never written. Raises Damaged."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    try:
        for one in json.loads(data or b'{"resources":[]}')["resources"]:
            found.setdefault(door_clusters.shard_of(one["name"]), []).append(one)
    except (ValueError, TypeError, KeyError) as error:
        raise Damaged("not a clusters' file") from error
    return found


def reachable(clusters: Set[str]) -> frozenset[str]:
    """The shards both of whose clusters are among these."""
    found = Counter(door_clusters.shard_of(one) for one in clusters if one.startswith(_KINDS))
    return frozenset(shard for shard, count in found.items() if count == len(_KINDS))


def script(site: Site) -> str:
    """The filter with what it must know of its site in front: where the table is, how long a body may be."""
    settings = f'local SETTINGS = {{ folder = "{site.folder}", body = {door_listener.BODY_BYTES} }}'
    return f"{settings}\n{site.script}"
