"""Prints each object's event."""

import json

import functions_framework


@functions_framework.cloud_event
def on_object(event):
    print(json.dumps({"attributes": dict(event.get_attributes()), "data": event.data}))
