"""A version is to be judged, promoted and placed."""

import functions_framework

from berth import bootstrap, edge, events


@functions_framework.cloud_event
def admit_model(event: events.CloudEvent) -> None:
    """Entry point."""
    edge.run("admit_model", event, parse=events.admission_request, handler=bootstrap.admit_model)
