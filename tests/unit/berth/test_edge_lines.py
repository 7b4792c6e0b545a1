"""The edge's log lines and answers, word for word: alerts and dashboards match on them."""

import contextlib
import json

import pytest
from cloudevents.http import CloudEvent

from berth import edge
from berth.app import status
from berth.domain.errors import InvalidEvent, Unavailable
from berth.domain.outcome import Outcome, Text
from tests.support.edges import Does, fresh_log

__all__ = ["fresh_log"]
EVENT = CloudEvent({"type": "t", "source": "s", "id": "e1"}, {})


def line(result, capsys):
    with contextlib.suppress(Unavailable, ZeroDivisionError):
        edge.run("on_test", EVENT, parse=lambda event: event, handler=lambda: Does(result, EVENT))
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("result", "message", "reason"),
    [
        (InvalidEvent("x"), "event refused", "InvalidEvent: x"),
        (Unavailable("x"), "delivery refused", "Unavailable: x"),
        (ZeroDivisionError("x"), "bug", None),
    ],
)
def test_a_failure_is_told_by_its_words(result, message, reason, capsys):
    told = line(result, capsys)
    assert (told["message"], told.get("reason")) == (message, reason)


def test_a_pass_tells_all_its_facts_and_ten_thousandths_of_a_second(monkeypatch, capsys):
    moments = iter([1.0, 3.123456789])
    monkeypatch.setattr(edge.time, "monotonic", lambda: next(moments))
    facts = {"reason": "why", "shard": "s", "model": "m", "version": "v"}
    told = line(Outcome("changed", actions=("a",), **facts), capsys)
    assert told.items() >= {**facts, "actions": ["a"], "seconds": 2.1235}.items()


def test_what_http_was_not_told_is_logged_with_its_function(capsys):
    def ask():
        raise Unavailable("x")

    edge.answer("status", ask)
    told = json.loads(capsys.readouterr().out)
    assert told["message"] == "not answered"
    assert (told["reason"], told["function"]) == ("Unavailable: x", "status")


@pytest.mark.parametrize("text", [Text("up 1\n"), Text("up 1\n", status.PROMETHEUS)])
def test_text_is_answered_as_what_it_is(text):
    answered = ("up 1\n", 200, {"Content-Type": text.kind})
    assert edge.answer("status", lambda: text) == answered


@pytest.mark.parametrize(
    ("form", "accept", "words"),
    [
        ("", "", False),
        ("", "*/*", False),
        ("", "text/plain", True),
        ("", "text/plain, text/plain;charset=utf-8", True),
        ("", "text/plain; charset=utf-8", True),
        ("", "text/plain, application/json", False),
        ("text", "application/json", True),
        ("json", "text/plain", False),
    ],
)
def test_words_are_for_those_who_ask_for_them(form, accept, words):
    assert edge.wants_words(form, accept) == words
