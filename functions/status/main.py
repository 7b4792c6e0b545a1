"""The fleet, its shards and its models, over HTTP."""

import flask
import functions_framework

from berth import bootstrap, edge


@functions_framework.http
def status(request: flask.Request) -> edge.Answer:
    """Entry point."""
    words = edge.wants_words(request.args.get("format", ""), request.headers.get("Accept", ""))
    return edge.answer("status", lambda: bootstrap.status().ask(request.path, words=words))
