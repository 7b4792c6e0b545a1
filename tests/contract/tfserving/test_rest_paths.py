"""REST paths, methods and the HTTP beneath them."""

import gzip
import json

import pytest

from tests.support import models
from tests.support.model_server import config, outcome


@pytest.mark.parametrize(
    ("method", "path", "code", "message"),
    [
        ("GET", "/v1/models/nobody", 404, "Could not find any versions of model nobody"),
        ("GET", "/v1/models/echo/versions/5", 404, "Could not find version 5 of model echo"),
        ("GET", "/v1/models", 400, "Missing model name in request."),
        ("GET", "/v1/", 400, "Malformed request: GET /v1/"),
        ("GET", "/v1/models/echo:predict", 400, "Malformed request: GET /v1/models/echo:predict"),
        ("POST", "/v1/models/echo", 400, "Malformed request: POST /v1/models/echo"),
        ("PUT", "/v1/models/echo:predict", 400, "Malformed request: PUT /v1/models/echo:predict"),
        (
            "POST",
            "/v1/models/echo:predict?x=1",
            400,
            "Malformed request: POST /v1/models/echo:predict?x=1",
        ),
        (
            "POST",
            "/v1/models/echo/versions/x:predict",
            400,
            "Malformed request: POST /v1/models/echo/versions/x:predict",
        ),
        (
            "GET",
            "/v1/models/nobody/metadata",
            404,
            "Servable not found for request: Latest(nobody)",
        ),
        (
            "POST",
            "/v1/models/a%2Fb%3Ac:predict",
            404,
            "Servable not found for request: Latest(a/b:c)",
        ),
    ],
)
def test_paths(standard, method, path, code, message):
    assert outcome(standard.rest(method, path, '{"instances": [1]}')) == (code, message)


def test_a_version_beyond_int64_has_an_empty_answer(standard):
    answer = standard.predict(f"echo/versions/{2**63}", {"instances": ["a"]})
    assert (answer.code, answer.body) == (400, b"")


@pytest.mark.parametrize("path", ["/", "/v1", "/v2/models/echo", "/metrics"])
def test_other_paths_are_html(standard, path):
    answer = standard.rest("GET", path)
    assert answer.code == 404
    assert b"<" in answer.body
    assert "html" in answer.headers["Content-Type"]


@pytest.mark.parametrize("method", ["classify", "regress"])
def test_what_is_not_implemented_is_said(standard, method):
    code, message = outcome(standard.rest("POST", f"/v1/models/echo:{method}", "{}"))
    assert code == 501
    assert method in message


def test_bodies_in_chunks_and_compressed(standard):
    body = json.dumps({"instances": [2]}).encode()
    path = "/v1/models/half_plus_two:predict"
    chunked = standard.rest("POST", path, iter([body[:5], body[5:]]))
    assert chunked.json() == {"predictions": [3.0]}
    packed = standard.rest("POST", path, gzip.compress(body), {"Content-Encoding": "gzip"})
    assert packed.json() == {"predictions": [3.0]}


def test_one_rest_thread_serves_nothing(start):
    server = start(
        models=config(("m", models.model("half_plus_two"))), rest_api_num_threads=1
    ).ready()
    with pytest.raises(TimeoutError):
        server.rest("GET", "/v1/models/m", seconds=1)
