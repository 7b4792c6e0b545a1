"""The edge: what is acknowledged, what is raised, and what the one log line says."""

import json

import pytest
from cloudevents.http import CloudEvent

from berth import edge
from berth.domain import errors
from berth.domain.errors import BerthError, InvalidEvent, NotFound, Retryable, Terminal, Unavailable
from berth.domain.outcome import Outcome, Text
from berth.settings import MissingSettings
from tests.support.edges import Does, fresh_log

__all__ = ["fresh_log"]
EVENT = CloudEvent({"type": "t", "source": "s", "id": "e1"}, {})
TERMINAL = [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, Terminal)]
RAISED = [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, Retryable)]


def run(outcome, capsys, parse=lambda event: "parsed"):
    """Run one event; return the log line and what was raised."""
    raised = None
    try:
        edge.run("on_test", EVENT, parse=parse, handler=lambda: Does(outcome, "parsed"))
    except Exception as error:  # noqa: BLE001 - the platform's side of the edge
        raised = error
    (line,) = capsys.readouterr().out.splitlines()
    return json.loads(line), raised


def test_an_outcome_is_acknowledged_with_one_line(capsys):
    outcome = Outcome("changed", actions=("Push",), shard="shard-0", version="acme.digits/1")
    line, raised = run(outcome, capsys)
    assert raised is None
    assert line.pop("time").endswith("Z")
    assert 0 <= line.pop("seconds") < 1
    assert line == {
        "message": "pass",
        "severity": "INFO",
        "function": "on_test",
        "event_id": "e1",
        "event_type": "t",
        "outcome": "changed",
        "actions": ["Push"],
        "shard": "shard-0",
        "version": "acme.digits/1",
    }


@pytest.mark.parametrize("kind", TERMINAL)
def test_what_no_retry_can_help_is_acknowledged(kind, capsys):
    line, raised = run(kind("because"), capsys)
    assert raised is None
    assert (line["severity"], line["outcome"]) == ("ERROR", "refused")
    assert line["reason"] == f"{kind.__name__}: because"


@pytest.mark.parametrize("kind", [*RAISED, MissingSettings, BerthError])
def test_what_a_retry_may_help_is_raised(kind, capsys):
    line, raised = run(kind("because"), capsys)
    assert type(raised) is kind
    assert (line["severity"], line["outcome"]) == ("WARNING", "redelivered")


@pytest.mark.parametrize("bug", [ValueError("x"), KeyError("x"), RuntimeError("x")])
def test_a_bug_is_raised_with_its_trace(bug, capsys):
    line, raised = run(bug, capsys)
    assert raised is bug
    assert (line["severity"], line["outcome"]) == ("ERROR", "redelivered")
    assert "Traceback" in line["exception"]


def test_an_event_that_does_not_parse_is_acknowledged(capsys):
    def parse(event):
        raise InvalidEvent("no message")

    line, raised = run(Outcome("changed"), capsys, parse=parse)
    assert raised is None
    assert line["reason"] == "InvalidEvent: no message"


def test_the_context_of_one_event_does_not_leak_into_the_next(capsys):
    run(Outcome("changed", shard="shard-0"), capsys)
    line, _ = run(Outcome("converged"), capsys)
    assert "shard" not in line


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotFound("x"), 404),
        (InvalidEvent("x"), 400),
        (Unavailable("x"), 503),
        (MissingSettings("x"), 503),
    ],
)
def test_an_http_answer_to_an_error_has_its_reason(error, status):
    def ask():
        raise error

    body, code, headers = edge.answer("status", ask)
    assert code == status
    assert json.loads(body) == {"reason": f"{type(error).__name__}: x"}
    assert headers["Content-Type"] == "application/json"


def test_an_http_answer_is_sorted_json_or_text():
    body, code, _ = edge.answer("status", lambda: {"b": 1, "a": 2})
    assert (body, code) == ('{"a": 2, "b": 1}\n', 200)
    body, code, headers = edge.answer("status", lambda: Text("metric 1\n"))
    assert body == "metric 1\n"
    assert headers["Content-Type"].startswith("text/plain")


def test_a_bug_behind_http_is_raised():
    with pytest.raises(ZeroDivisionError):
        edge.answer("status", lambda: 1 / 0)
