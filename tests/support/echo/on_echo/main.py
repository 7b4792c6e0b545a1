"""Prints each event; the first `times` deliveries of a message do what it asks for.

{"raise": true}: fail; {"seconds": 1.5}: take that long.
"""

import base64
import collections
import json
import os
import threading
import time

import functions_framework

_lock = threading.Lock()
_running = 0
_seen = collections.Counter()


def _enter(identity):
    global _running
    with _lock:
        _running += 1
        _seen[identity] += 1
        return {"running": _running, "delivery": _seen[identity]}


@functions_framework.cloud_event
def on_echo(event):
    global _running
    asked = json.loads(base64.b64decode(event.data["message"]["data"]))
    seen = _enter(event["id"]) | {"asked": asked, "attributes": dict(event.get_attributes())}
    said = json.dumps(seen | {"data": event.data, "environment": dict(os.environ)})
    # In one piece: two threads speak, and `print` writes the end of a line by itself.
    os.write(1, f"{said}\n".encode())
    try:
        if seen["delivery"] <= asked.get("times", 99):
            time.sleep(asked.get("seconds", 0))
            if asked.get("raise"):
                raise RuntimeError("asked to")
    finally:
        with _lock:
            _running -= 1
