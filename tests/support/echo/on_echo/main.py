"""Prints each event; the message says how to behave: {"raise": true}, {"seconds": 1.0}."""

import base64
import json
import os
import threading
import time

import functions_framework

_running = 0
_lock = threading.Lock()


@functions_framework.cloud_event
def on_echo(event):
    global _running
    asked = json.loads(base64.b64decode(event.data["message"]["data"]))
    with _lock:
        _running += 1
        seen = {"running": _running, "asked": asked, "attributes": dict(event.get_attributes())}
    print(json.dumps(seen | {"data": event.data, "environment": dict(os.environ)}))
    try:
        time.sleep(asked.get("seconds", 0))
        if asked.get("raise"):
            raise RuntimeError("asked to")
    finally:
        with _lock:
            _running -= 1
