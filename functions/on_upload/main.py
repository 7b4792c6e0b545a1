"""An object of the inbox was finalized: does its version need to be judged?"""

import functions_framework

from berth import bootstrap, edge, events


@functions_framework.cloud_event
def on_upload(event: events.CloudEvent) -> None:
    """Entry point."""
    edge.run("on_upload", event, parse=events.uploaded, handler=bootstrap.on_upload)
