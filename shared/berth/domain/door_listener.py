"""Envoy's one listener: REST and gRPC on one port, the Lua filter, rate limits, and what refusals look like.

Field meanings: envoyproxy.io/docs/envoy/v1.40.0/api-v3 (http_connection_manager, lua, local_ratelimit, route).
"""

from collections.abc import Mapping
from typing import Any

from berth.domain import door_clusters

MIB = 1024**2
BODY_BYTES = 16 * MIB  # of one request, held in memory until it is whole
TIMEOUT = "30s"  # TF Serving's own for REST (rest_api_timeout_in_ms)
CUSTOMERS = 10_000  # customers whose rate one router remembers
_EXT = "type.googleapis.com/envoy.extensions.filters"
_OWN = ("x-berth-cluster", "x-berth-customer", "x-berth-plan", "x-berth-model")


def listeners(address: tuple[str, int], script: str, rates: Mapping[str, int]) -> bytes:
    """Return the listener's file. `script` is the whole Lua text; `rates` are requests/s by plan."""
    return door_clusters.resources(
        {
            "@type": "type.googleapis.com/envoy.config.listener.v3.Listener",
            "name": "door",
            "address": {"socket_address": {"address": address[0], "port_value": address[1]}},
            "per_connection_buffer_limit_bytes": BODY_BYTES,
            "filter_chains": [
                {
                    "filters": [
                        {
                            "name": "envoy.filters.network.http_connection_manager",
                            "typed_config": _manager(script, rates),
                        }
                    ]
                }
            ],
        }
    )


def _manager(script: str, rates: Mapping[str, int]) -> dict[str, Any]:
    return {
        "@type": f"{_EXT}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "door",
        "codec_type": "AUTO",
        "use_remote_address": True,
        # Addresses are read as they came: what the filter does not understand it refuses.
        "normalize_path": False,
        "merge_slashes": False,
        "path_with_escaped_slashes_action": "KEEP_UNCHANGED",
        "max_request_headers_kb": 16,
        "request_headers_timeout": "10s",
        "request_timeout": TIMEOUT,
        "stream_idle_timeout": "60s",
        "drain_timeout": "5s",
        "common_http_protocol_options": {"idle_timeout": "300s", "max_headers_count": 64},
        "http2_protocol_options": {
            "max_concurrent_streams": 100,
            "initial_stream_window_size": BODY_BYTES,  # it bounds what a stream may hold, too
            "initial_connection_window_size": BODY_BYTES,
        },
        "early_header_mutation_extensions": [_early()],
        "local_reply_config": _replies(),
        "http_filters": [_lua(script), _rates(rates), _router()],
        "route_config": _routes(),
    }


def _early() -> dict[str, Any]:
    """Whatever becomes of the filter, no client says which shard it wants or who it is."""
    return {
        "name": "envoy.http.early_header_mutation.header_mutation",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.http.early_header_mutation"
            ".header_mutation.v3.HeaderMutation",
            "mutations": [{"remove": name} for name in _OWN if name != "x-berth-model"],
        },
    }


def _lua(script: str) -> dict[str, Any]:
    return {
        "name": "envoy.filters.http.lua",
        "typed_config": {
            "@type": f"{_EXT}.http.lua.v3.Lua",
            "default_source_code": {"inline_string": script},
        },
    }


def _router() -> dict[str, Any]:
    return {
        "name": "envoy.filters.http.router",
        "typed_config": {
            "@type": f"{_EXT}.http.router.v3.Router",
            "suppress_envoy_headers": True,
        },
    }


def _rates(rates: Mapping[str, int]) -> dict[str, Any]:
    """A bucket a customer, as large as its plan says: what it may ask of this router."""
    return {
        "name": "envoy.filters.http.local_ratelimit",
        "typed_config": {
            "@type": f"{_EXT}.http.local_ratelimit.v3.LocalRateLimit",
            "stat_prefix": "rates",
            "status": {"code": "TooManyRequests"},
            "rate_limited_as_resource_exhausted": True,
            "token_bucket": _bucket(1_000_000),
            "filter_enabled": _ALWAYS,
            "filter_enforced": _ALWAYS,
            "always_consume_default_token_bucket": False,
            "max_dynamic_descriptors": CUSTOMERS,
            "rate_limits": [{"actions": [_told("plan"), _told("customer")]}],
            "descriptors": [
                {
                    "entries": [{"key": "plan", "value": plan}, {"key": "customer"}],
                    "token_bucket": _bucket(rate),
                }
                for plan, rate in sorted(rates.items())
            ],
        },
    }


def _bucket(per_second: int) -> dict[str, Any]:
    return {
        "max_tokens": 2 * per_second,
        "tokens_per_fill": per_second,
        "fill_interval": "1s",
    }


_ALWAYS = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
_GRPC = {
    "header_filter": {
        "header": {"name": "content-type", "string_match": {"prefix": "application/grpc"}}
    }
}
_TEXT = {"text_format_source": {"inline_string": "%LOCAL_REPLY_BODY%"}}


def _status(code: int) -> dict[str, Any]:
    value = {"default_value": code, "runtime_key": f"door.status.{code}"}
    return {"status_code_filter": {"comparison": {"op": "EQ", "value": value}}}


def _header(name: str, value: str) -> dict[str, Any]:
    return {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}


def _replies() -> dict[str, Any]:
    """Refusals in TF Serving's form: JSON with one key, or the gRPC status and its message."""

    def grpc(http: int, status: int) -> dict[str, Any]:
        return {
            "filter": {"and_filter": {"filters": [_GRPC, _status(http)]}},
            "headers_to_add": [_header("grpc-status", str(status))],
            "body_format_override": _TEXT,
        }

    return {
        "mappers": [
            grpc(413, 8),  # RESOURCE_EXHAUSTED; Envoy would say UNKNOWN
            grpc(504, 4),  # DEADLINE_EXCEEDED; UNAVAILABLE would invite clients to try again
            {"filter": _GRPC, "body_format_override": _TEXT},
            {"filter": _status(503), "headers_to_add": [_header("retry-after", "5")]},
            {"filter": _status(429), "headers_to_add": [_header("retry-after", "1")]},
        ],
        "body_format": {
            "json_format": {"error": "%LOCAL_REPLY_BODY%"},
            "content_type": "application/json",
        },
    }


def _routes() -> dict[str, Any]:
    """One route for everything: the filter names the cluster. What it did not name goes nowhere."""
    return {
        "name": "door",
        "request_headers_to_remove": list(_OWN),
        "virtual_hosts": [
            {
                "name": "door",
                "domains": ["*"],
                "routes": [{"match": {"prefix": "/"}, "route": _ROUTE}],
            }
        ],
    }


def _told(key: str) -> dict[str, Any]:
    return {"request_headers": {"header_name": f"x-berth-{key}", "descriptor_key": key}}


# Again only where the request reached no server: no connection, refused, or reset before it was sent.
_ROUTE = {
    "cluster_header": "x-berth-cluster",
    "cluster_not_found_response_code": "SERVICE_UNAVAILABLE",
    "timeout": TIMEOUT,
    "max_stream_duration": {"grpc_timeout_header_max": TIMEOUT},
    "retry_policy": {
        "retry_on": "connect-failure,refused-stream,reset-before-request",
        "num_retries": 3,
        "retry_host_predicate": [
            {
                "name": "envoy.retry_host_predicates.previous_hosts",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.retry.host"
                    ".previous_hosts.v3.PreviousHostsPredicate"
                },
            }
        ],
        "host_selection_retry_max_attempts": "5",
        "retry_back_off": {"base_interval": "0.025s", "max_interval": "0.25s"},
    },
}
