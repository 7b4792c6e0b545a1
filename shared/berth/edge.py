"""The one place where outcomes become answers to the platform.

Return: acknowledged. Raise: delivered again, with back-off, then dead-lettered. Only Terminal
errors are swallowed; everything else, bugs included, is raised.
"""

import json
import time
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import structlog

from berth import telemetry
from berth.domain.errors import BerthError, NotFound, Terminal
from berth.domain.outcome import Outcome, Text
from berth.events import CloudEvent

log = structlog.get_logger()
Request = TypeVar("Request")
Answer = tuple[str, int, dict[str, str]]
JSON = {"Content-Type": "application/json"}


class Handler(Protocol[Request]):  # type: ignore[misc]
    """A use case."""

    def handle(self, request: Request) -> Outcome:
        """Do it."""
        ...


def run(
    function: str,
    event: CloudEvent,
    *,
    parse: Callable[[CloudEvent], Request],
    handler: Callable[[], Handler[Request]],
) -> None:
    """Parse, handle, log one line, acknowledge."""
    telemetry.configure()
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(
        function=function, event_id=event["id"], event_type=event["type"]
    )
    began = time.monotonic()
    try:
        outcome = handler().handle(parse(event))
    except Terminal as error:
        log.error("event refused", outcome="refused", reason=_reason(error))
    except BerthError as error:
        log.warning("delivery refused", outcome="redelivered", reason=_reason(error))
        raise
    except Exception:
        log.exception("bug", outcome="redelivered")
        raise
    else:
        log.info("pass", seconds=round(time.monotonic() - began, 4), **_facts(outcome))


def answer(function: str, ask: Callable[[], Any]) -> Answer:
    """Return an HTTP answer: the value as JSON or as its text, or the error with its reason and status."""
    telemetry.configure()
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(function=function)
    try:
        value = ask()
    except NotFound as error:
        return _problem(error, 404)
    except Terminal as error:
        return _problem(error, 400)
    except BerthError as error:
        log.warning("not answered", reason=_reason(error))
        return _problem(error, 503)
    if isinstance(value, Text):
        return value.body, 200, {"Content-Type": value.kind}
    return json.dumps(value, sort_keys=True) + "\n", 200, JSON


def wants_words(form: str, accept: str) -> bool:
    """Whether a caller wants text: `?format=text`, or text alone among the types it accepts."""
    types = {one.partition(";")[0].strip() for one in accept.split(",") if one.strip()}
    return form == "text" or (not form and types == {"text/plain"})


def _problem(error: BerthError, status: int) -> Answer:
    return json.dumps({"reason": _reason(error)}) + "\n", status, JSON


def _reason(error: BerthError) -> str:
    return f"{type(error).__name__}: {error}"


def _facts(outcome: Outcome) -> dict[str, object]:
    fields = {
        "outcome": outcome.word,
        "actions": list(outcome.actions),
        "reason": outcome.reason,
        "shard": outcome.shard,
        "model": outcome.model,
        "version": outcome.version,
    }
    return {key: value for key, value in fields.items() if value}
