"""The fleet as Prometheus metrics, in the text format."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Gauge, generate_latest


def render(fleet: Mapping[str, Any]) -> str:
    """Return the metrics of what `Status.fleet` answered."""
    registry = CollectorRegistry()

    def gauge(name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, registry=registry)

    gauge("berth_customers", "Customers with an account").set(len(fleet["customers"]))
    models = gauge("berth_models", "Models by what their shard observed", "shard", "state")
    used = gauge("berth_shard_bytes", "Bytes that a replica of the shard needs", "shard")
    bound = gauge("berth_shard_bound_bytes", "Bytes that a replica of the shard has", "shard")
    replicas = gauge("berth_replicas", "Replicas of the shard", "shard", "ready")
    rollouts = gauge("berth_rollouts_open", "Rollouts that have not ended", "shard")
    late = gauge("berth_restart_late", "1 where a restart did not come back in time", "shard")
    evidence = gauge("berth_evidence", "Replicas that a restart would mend", "shard")
    for shard, row in fleet["shards"].items():
        states = Counter(record["state"] for record in row["models"].values())
        for state, count in states.items():
            models.labels(shard, state).set(count)
        used.labels(shard).set(row["capacity"]["bytes"])
        bound.labels(shard).set(row["capacity"]["bound_bytes"])
        ready = sum(replica["ready"] for replica in row["replicas"])
        replicas.labels(shard, "true").set(ready)
        replicas.labels(shard, "false").set(len(row["replicas"]) - ready)
        late.labels(shard).set(row["restart"] == "late")
        evidence.labels(shard).set(sum(bool(r["evidence"]) for r in row["replicas"]))
        rollouts.labels(shard).set(states.get("LOADING", 0))
    text: bytes = generate_latest(registry)
    return text.decode()
