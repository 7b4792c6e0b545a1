"""A customer signed up, changed plan, left, or deleted a model."""

import functions_framework

from berth import bootstrap, edge, events


@functions_framework.cloud_event
def on_customer_event(event: events.CloudEvent) -> None:
    """Entry point."""
    edge.run(
        "on_customer_event", event, parse=events.customer_event, handler=bootstrap.on_customer_event
    )
