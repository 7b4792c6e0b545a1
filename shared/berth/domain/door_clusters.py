"""Envoy's clusters and endpoints: two a shard, its replicas' REST and gRPC ports.

Field meanings: envoyproxy.io/docs/envoy/v1.40.0/api-v3/config/cluster/v3 and .../endpoint/v3.
"""

from collections.abc import Sequence
from typing import Any

from berth.domain import canonical

REST, GRPC = "rest", "grpc"
PORTS = {REST: 8501, GRPC: 8500}
_CLUSTER = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
_ENDPOINTS = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
_HTTP = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
# Requests in flight and waiting, to one shard from one router: a flood for one model ends here.
MAX_REQUESTS, MAX_PENDING, MAX_CONNECTIONS = 1024, 256, 512


def name(kind: str, shard: str) -> str:
    """The cluster of a shard's port; the filter makes the same name."""
    return f"{kind}-{shard}"


def resources(*values: dict[str, Any]) -> bytes:
    """A discovery response as a file."""
    return canonical.encode({"resources": list(values)})


def endpoints(shard: str, addresses: Sequence[str]) -> dict[str, bytes]:
    """Return each cluster's endpoints by the cluster's name."""
    return {name(kind, shard): resources(_assignment(kind, shard, addresses)) for kind in PORTS}


def clusters(shards: Sequence[str], folder: str) -> bytes:
    """Return the clusters of all shards; `folder` (ending in a slash) holds the endpoints' files."""
    return resources(*(_cluster(kind, shard, folder) for shard in shards for kind in PORTS))


def _assignment(kind: str, shard: str, addresses: Sequence[str]) -> dict[str, Any]:
    found = [
        {"endpoint": {"address": {"socket_address": {"address": one, "port_value": PORTS[kind]}}}}
        for one in addresses
    ]
    return {
        "@type": _ENDPOINTS,
        "cluster_name": name(kind, shard),
        "endpoints": [{"lb_endpoints": found}] if found else [],
    }


def _cluster(kind: str, shard: str, folder: str) -> dict[str, Any]:
    own = name(kind, shard)
    return {
        "@type": _CLUSTER,
        "name": own,
        "type": "EDS",
        "eds_cluster_config": {
            "eds_config": {
                "resource_api_version": "V3",
                "path_config_source": {"path": f"{folder}{own}.json"},
            }
        },
        "connect_timeout": "1s",
        "lb_policy": "LEAST_REQUEST",
        # A replica that left the endpoints is let go of at once, whatever its port still answers.
        "ignore_health_on_host_removal": True,
        "health_checks": [_HEALTH],
        "outlier_detection": _OUTLIERS,
        "circuit_breakers": {"thresholds": [_BREAKER]},
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": _protocol(kind)
        },
    }


# Readiness comes from Kubernetes; a node that is lost is noticed here within seconds, there after 40.
_HEALTH = {
    "timeout": "1s",
    "interval": "3s",
    "no_traffic_interval": "5s",
    "unhealthy_threshold": 2,
    "healthy_threshold": 1,
    "tcp_health_check": {},
}

# Only what the connection does counts, never what a model answers: one customer's model that fails
# must not take a replica from all others.
_OUTLIERS = {
    "split_external_local_origin_errors": True,
    "consecutive_local_origin_failure": 5,
    "enforcing_consecutive_local_origin_failure": 100,
    "enforcing_consecutive_5xx": 0,
    "enforcing_consecutive_gateway_failure": 0,
    "enforcing_success_rate": 0,
    "enforcing_local_origin_success_rate": 0,
    "enforcing_failure_percentage": 0,
    "interval": "1s",
    "base_ejection_time": "5s",
    "max_ejection_time": "30s",
    "max_ejection_percent": 50,
}

_BREAKER = {
    "max_connections": MAX_CONNECTIONS,
    "max_pending_requests": MAX_PENDING,
    "max_requests": MAX_REQUESTS,
    "retry_budget": {"budget_percent": {"value": 20}, "min_retry_concurrency": 10},
}


def _protocol(kind: str) -> dict[str, Any]:
    """HTTP/2 to the gRPC port, HTTP/1.1 to the REST port; idle connections end before the server's do."""
    explicit: dict[str, Any] = (
        {
            "http2_protocol_options": {
                "connection_keepalive": {"interval": "30s", "timeout": "5s"},
                "max_concurrent_streams": 100,
            }
        }
        if kind == GRPC
        else {"http_protocol_options": {}}
    )
    return {
        "@type": _HTTP,
        "common_http_protocol_options": {"idle_timeout": "60s"},
        "explicit_http_config": explicit,
    }
