"""The fleet as Prometheus sees it."""

from berth.adapters import prometheus


def test_every_gauge_says_what_the_fleet_says():
    row = {
        "models": {"acme.a": {"state": "SERVING"}, "acme.b": {"state": "LOADING"}},
        "capacity": {"bytes": 500, "bound_bytes": 2000},
        "replicas": [
            {"ready": True, "evidence": "memory: much"},
            {"ready": False, "evidence": ""},
            {"ready": True, "evidence": ""},
        ],
        "restart": "late",
    }
    text = prometheus.render({"customers": ["acme"], "shards": {"shard-0": row}})
    lines = {line for line in text.splitlines() if not line.startswith("#")}
    assert lines == {
        "berth_customers 1.0",
        'berth_models{shard="shard-0",state="SERVING"} 1.0',
        'berth_models{shard="shard-0",state="LOADING"} 1.0',
        'berth_shard_bytes{shard="shard-0"} 500.0',
        'berth_shard_bound_bytes{shard="shard-0"} 2000.0',
        'berth_replicas{ready="true",shard="shard-0"} 2.0',
        'berth_replicas{ready="false",shard="shard-0"} 1.0',
        'berth_restart_late{shard="shard-0"} 1.0',
        'berth_evidence{shard="shard-0"} 1.0',
        'berth_rollouts_open{shard="shard-0"} 1.0',
    }
