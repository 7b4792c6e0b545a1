"""`berth plan` against an HTTP server: what it asks, what it says, and how it fails."""

import json
import os
import stat
import tomllib

import pytest
from typer.testing import CliRunner

from berth.cli import asking
from berth.cli.failures import Code, Failure
from berth.cli.main import app
from infra.functions import ROOT
from tests.support import canned
from tests.support.command import berth


@pytest.fixture
def status():
    with canned.server() as server:
        server.body = b"At noon the next tick would change nothing.\n"
        yield server


def test_it_says_what_the_function_says(status):
    done = berth("plan", BERTH_STATUS_URL=f"{status.url}/status/")
    assert (done.returncode, done.stdout, done.stderr) == (0, status.body.decode(), "")
    assert status.asked == [("GET", "/status/plan?format=text", b"")]


def test_json_and_one_shard_are_asked_for(status):
    status.body = b'{"steps": []}\n'
    done = berth("plan", "shard-1/../x", "--json", "--url", status.url)
    assert json.loads(done.stdout) == {"steps": []}
    assert status.asked == [("GET", "/plan/shard-1%2F..%2Fx?format=json", b"")]


@pytest.mark.parametrize(
    ("code", "body", "exit_code", "said"),
    [
        (404, b'{"reason": "NotFound: there is no shard"}', 4, "there is no shard"),
        (404, b"<html>", 4, "there is no such thing"),
        (403, b"", 3, "status_invokers"),
        (401, b"", 3, "you may not ask it (401)"),
        (503, b'{"reason": "Damaged: x"}', 1, "it answered with 503: Damaged: x"),
        (502, b"[]", 1, "it answered with 502\n"),
        (302, b"", 1, "it answered with 302\n"),
    ],
)
def test_what_the_function_refuses_is_said_with_where_and_what_to_do(
    status, code, body, exit_code, said
):
    status.status, status.body = code, body
    done = berth("plan", "--url", status.url)
    assert (done.returncode, done.stdout) == (exit_code, "")
    assert said in done.stderr
    assert f"where: {status.url}/plan" in done.stderr
    assert "what to do: " in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "BERTH_STATUS_URL"),
        (("--url", "berth"), "no http or https URL"),
        (("--url", "http://127.0.0.1:9", "--token", "secret"), "in clear"),
        (("--what",), "No such option"),
    ],
)
def test_wrong_usage_is_two(words, said):
    done = berth("plan", *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert "secret" not in done.stderr


def test_nobody_there_is_one():
    done = berth("plan", "--url", "http://127.0.0.1:9")
    assert done.returncode == 1
    assert "did not answer: ConnectionError" in done.stderr


@pytest.fixture
def sent(monkeypatch):
    """What would go over https, answered with an empty plan."""
    asked = []

    def get(url, **given):
        asked.append((url, given["headers"]))
        answer = asking.requests.Response()
        answer.status_code, answer._content = 200, b"{}"
        return answer

    monkeypatch.setattr(asking.requests, "get", get)
    return asked


def test_over_https_a_token_goes_along(sent):
    asking.StatusFunction("https://status", "mine").ask("/plan", form="json")
    assert sent == [("https://status/plan", {"Authorization": "Bearer mine"})]


def gcloud(folder, text):
    path = folder / "gcloud"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_without_a_token_gcloud_makes_one(sent, tmp_path, monkeypatch):
    gcloud(tmp_path, 'echo "$*" | tr " " -')
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    asking.StatusFunction("https://status").ask("/plan", form="json")
    headers = {"Authorization": "Bearer auth-print-identity-token---quiet"}
    assert sent == [("https://status/plan", headers)]


@pytest.mark.parametrize("script", ["exit 1", None])
def test_without_any_token_nothing_is_asked(sent, tmp_path, monkeypatch, script):
    if script:
        gcloud(tmp_path, script)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Failure, match="no identity token") as caught:
        asking.StatusFunction("https://status").ask("/plan", form="json")
    assert caught.value.code == Code.NOT_ALLOWED
    assert sent == []


def test_the_installed_command_is_this_one():
    script = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]["berth"]
    assert script == "berth.cli.main:main"
    help_text = CliRunner().invoke(app, ["plan", "--help"]).output
    assert "Changes nothing" in help_text
