"""A SavedModel is to be judged where it can do no harm."""

import flask
import functions_framework

from berth import bootstrap, edge


@functions_framework.http
def probe_model(request: flask.Request) -> edge.Answer:
    """Entry point."""
    return edge.answer("probe_model", lambda: bootstrap.probe_model().ask(request.get_data()))
