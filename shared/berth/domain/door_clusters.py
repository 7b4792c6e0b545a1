"""Envoy's clusters with their endpoints: two a shard, its replicas' REST and gRPC ports.

The endpoints stand in the clusters: as files of their own each would hold an inotify instance, of which
a user has 128 on most machines. A cluster that changes is replaced once the new one is warm.

Field meanings: envoyproxy.io/docs/envoy/v1.40.0/api-v3/config/cluster/v3.
"""

from collections.abc import Sequence
from typing import Any

from berth.domain import canonical

REST, GRPC = "rest", "grpc"
PORTS = {REST: 8501, GRPC: 8500}
_CLUSTER = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
_HTTP = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
# Requests in flight and waiting, to one shard from one router: a flood for one model ends here.
MAX_REQUESTS, MAX_PENDING, MAX_CONNECTIONS = 1024, 256, 512


def name(kind: str, shard: str) -> str:
    """The cluster of a shard's port; the filter makes the same name."""
    return f"{kind}-{shard}"


def resources(*values: dict[str, Any]) -> bytes:
    """A discovery response as a file."""
    return canonical.encode({"resources": list(values)})


def of_shard(shard: str, addresses: Sequence[str]) -> list[dict[str, Any]]:
    """Return the clusters of a shard with these replicas."""
    return [_cluster(name(kind, shard), kind, addresses) for kind in PORTS]


def shard_of(cluster: str) -> str:
    """The shard that a cluster belongs to, by its name."""
    return cluster.partition("-")[2]


def _cluster(own: str, kind: str, addresses: Sequence[str]) -> dict[str, Any]:
    found = [
        {"endpoint": {"address": {"socket_address": {"address": one, "port_value": PORTS[kind]}}}}
        for one in addresses
    ]
    return {
        "@type": _CLUSTER,
        "name": own,
        "type": "STATIC",
        "load_assignment": {
            "cluster_name": own,
            "endpoints": [{"lb_endpoints": found}] if found else [],
        },
        "connect_timeout": "1s",
        "lb_policy": "LEAST_REQUEST",
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
