"""A shard is to be brought to its desired state."""

import functions_framework

from berth import bootstrap, edge, events


@functions_framework.cloud_event
def reconcile_shard(event: events.CloudEvent) -> None:
    """Entry point."""
    edge.run(
        "reconcile_shard", event, parse=events.shard_request, handler=bootstrap.reconcile_shard
    )
