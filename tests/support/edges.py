"""What tests of the edge begin with: a log of their own, and a handler that does as told."""

import pytest
import structlog

from berth import telemetry


@pytest.fixture(autouse=True)
def fresh_log():
    telemetry.configure.cache_clear()
    yield
    telemetry.configure.cache_clear()
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


class Does:
    """Returns or raises what it was given; `request` is what it must be asked."""

    def __init__(self, outcome, request):
        self.outcome = outcome
        self.request = request

    def handle(self, request):
        assert request == self.request
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome
