"""The fleet's tick."""

import functions_framework

from berth import bootstrap, edge, events


@functions_framework.cloud_event
def reconcile_fleet(event: events.CloudEvent) -> None:
    """Entry point."""
    edge.run("reconcile_fleet", event, parse=events.fleet_tick, handler=bootstrap.reconcile_fleet)
