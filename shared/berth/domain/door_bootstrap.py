"""Envoy's bootstrap: where it finds its files, its admin interface, its health for the kubelet, its bounds.

The admin interface is a Unix socket that the sidecar alone reaches: it can stop the server.
"""

from typing import Any

from berth.domain import canonical
from berth.domain.door import CLUSTERS, LISTENERS, Site

_MONITORS = "type.googleapis.com/envoy.extensions.resource_monitors"
CONNECTIONS = 10_000


def render(site: Site, heap_bytes: int) -> bytes:
    """Return the bootstrap; near `heap_bytes` of its own memory Envoy turns requests away."""
    return canonical.encode(
        {
            "node": {"id": "door", "cluster": "berth"},
            "admin": {"address": _pipe(site.admin)},
            "dynamic_resources": {
                "lds_config": _path(f"{site.folder}/{LISTENERS}"),
                "cds_config": _path(f"{site.folder}/{CLUSTERS}"),
            },
            "static_resources": {
                "listeners": [_health(site)],
                "clusters": [_admin(site)],
            },
            "overload_manager": _overload(heap_bytes),
        }
    )


def _path(path: str) -> dict[str, Any]:
    return {"resource_api_version": "V3", "path_config_source": {"path": path}}


def _pipe(path: str) -> dict[str, Any]:
    return {"pipe": {"path": path, "mode": 0o600}}


def _admin(site: Site) -> dict[str, Any]:
    pipe = {"endpoint": {"address": {"pipe": {"path": site.admin}}}}
    return {
        "name": "admin",
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {
            "cluster_name": "admin",
            "endpoints": [{"lb_endpoints": [pipe]}],
        },
    }


def _health(site: Site) -> dict[str, Any]:
    """Readiness and metrics, and nothing else of the admin interface."""
    routes = [
        {"match": {"path": path}, "route": {"cluster": "admin"}}
        for path in ("/ready", "/stats/prometheus")
    ]
    manager = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network"
        ".http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "health",
        "route_config": {
            "name": "health",
            "virtual_hosts": [{"name": "health", "domains": ["*"], "routes": routes}],
        },
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
                },
            }
        ],
    }
    address = {"address": site.address, "port_value": site.health_port}
    filters = [
        {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager},
    ]
    return {
        "name": "health",
        "address": {"socket_address": address},
        "filter_chains": [{"filters": filters}],
    }


def _overload(heap_bytes: int) -> dict[str, Any]:
    heap = {
        "@type": f"{_MONITORS}.fixed_heap.v3.FixedHeapConfig",
        "max_heap_size_bytes": str(heap_bytes),
    }
    connections = {
        "@type": f"{_MONITORS}.downstream_connections.v3.DownstreamConnectionsConfig",
        "max_active_downstream_connections": str(CONNECTIONS),
    }

    def action(name: str, at: float) -> dict[str, Any]:
        trigger = {"name": "envoy.resource_monitors.fixed_heap", "threshold": {"value": at}}
        return {"name": f"envoy.overload_actions.{name}", "triggers": [trigger]}

    return {
        "refresh_interval": "0.25s",
        "resource_monitors": [
            {"name": "envoy.resource_monitors.fixed_heap", "typed_config": heap},
            {
                "name": "envoy.resource_monitors.global_downstream_max_connections",
                "typed_config": connections,
            },
        ],
        "actions": [action("shrink_heap", 0.9), action("stop_accepting_requests", 0.95)],
    }
