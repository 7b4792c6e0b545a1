"""REST through a real Envoy with the door's configuration: what passes, and what is refused in which words."""

import socket
import subprocess

import pytest

from tests.support import door

CHURN = "/v1/models/acme.churn"


def reached(answer):
    """What the server behind the door was asked."""
    assert answer.status_code == 200, answer.text
    return answer.json()


def refused(answer, status):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert list(answer.json()) == ["error"]
    return answer.json()["error"]


def test_envoy_finds_the_configuration_valid(standing):
    done = subprocess.run(standing[0].command("--mode", "validate"), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "OK" in done.stdout
    assert "warning" not in done.stderr


@pytest.mark.parametrize(
    ("method", "asked", "forwarded"),
    [
        ("POST", f"{CHURN}:predict", f"{CHURN}/versions/3:predict"),
        ("POST", f"{CHURN}:classify", f"{CHURN}/versions/3:classify"),
        ("POST", f"{CHURN}/versions/4:predict", f"{CHURN}/versions/4:predict"),
        ("POST", f"{CHURN}/versions/004:predict", f"{CHURN}/versions/4:predict"),
        ("POST", f"{CHURN}/labels/next:predict", f"{CHURN}/versions/4:predict"),
        ("POST", "/V1/Models/acme%2echurn/Labels/stable:PREDICT", f"{CHURN}/versions/3:predict"),
        ("GET", CHURN, CHURN),
        ("GET", f"{CHURN}/metadata", f"{CHURN}/versions/3/metadata"),
        ("GET", f"{CHURN}/versions/4", f"{CHURN}/versions/4"),
        ("GET", f"{CHURN}/labels/stable/metadata", f"{CHURN}/versions/3/metadata"),
    ],
)
def test_a_request_reaches_the_version_it_asks_for(ask, method, asked, forwarded):
    seen = reached(ask(method, asked, data=b"{}" if method == "POST" else None))
    assert (seen["method"], seen["path"]) == (method, forwarded)


def test_each_model_is_served_by_its_own_shard(standing, ask):
    _, first, second = standing
    assert reached(ask("POST", f"{CHURN}:predict"))["server"] == first.address
    other = reached(ask("POST", "/v1/models/globex.churn:predict", "globex"))
    assert (other["server"], other["path"]) == (
        second.address,
        "/v1/models/globex.churn/versions/7:predict",
    )


def test_what_only_the_door_says_is_taken_from_the_client_and_kept_from_the_server(ask):
    claims = {
        "x-berth-cluster": "rest-s-2",
        "x-berth-customer": "globex",
        "x-berth-plan": "free",
        "x-berth-other": "1",
        "x-envoy-upstream-rq-timeout-ms": "1",
        "x-envoy-retry-on": "5xx",
        "x-mine": "kept",
    }
    headers = reached(ask("POST", f"{CHURN}:predict", headers=claims))["headers"]
    assert headers["x-mine"] == "kept"
    assert not [one for one in headers if one.startswith(("x-berth-", "x-envoy-"))]
    assert "authorization" not in headers


@pytest.mark.parametrize(
    ("path", "status", "reason"),
    [
        ("/v1/models/acme.nothing:predict", 404, "no model acme.nothing is served"),
        ("/v1/models/acme.leaving:predict", 404, "no model acme.leaving is served"),
        (f"{CHURN}/versions/9:predict", 404, "acme.churn: version 9 is not served"),
        (f"{CHURN}/versions/{'9' * 60}:predict", 404, f"version {'9' * 20} is not served"),
        (f"{CHURN}/labels/none:predict", 404, "acme.churn: no such label"),
        ("/v1/models/acme.loading:predict", 503, "acme.loading is pending: it is being loaded"),
        ("/v1/models/acme.bare:predict", 503, "no version is served by default yet"),
        ("/v1/models/globex.churn:predict", 403, "not one of globex's"),
        ("/v1/models/globex.nothing:predict", 403, "not one of globex's"),
        (f"{CHURN}:predict?key=1", 400, "Malformed request: POST"),
        (f"{CHURN}:multiinference", 400, "Malformed request: POST"),
        ("/v1/models//acme.churn:predict", 400, "Malformed request"),
        ("/v1/models/../models/acme.churn:predict", 400, "Malformed request"),
        ("/v1/models/acme.churn%00:predict", 404, "no model has such a name"),
        ("/v1/models/globex.x%2F..%2Facme.churn:predict", 404, "no model has such a name"),
        ("/v1/models/..%2Fcustomers%2Facme:predict", 404, "no model has such a name"),
        ("//v1/models/acme.churn:predict", 404, "no such address"),
        ("/monitoring/prometheus/metrics", 404, "no such address"),
        ('/v1/"quoted\\and\x7fodd"', 400, "Malformed request"),
    ],
)
def test_what_cannot_be_served_is_refused_with_a_reason(standing, ask, path, status, reason):
    before = len(standing[1].seen) + len(standing[2].seen)
    assert reason in refused(ask("POST", path, data=b"{}"), status)
    assert len(standing[1].seen) + len(standing[2].seen) == before


def test_a_pending_model_is_worth_asking_again(ask):
    assert ask("POST", "/v1/models/acme.loading:predict").headers["retry-after"] == "5"


def test_a_label_serves_where_there_is_no_default(ask):
    path = "/v1/models/acme.bare/labels/stable:predict"
    assert reached(ask("POST", path))["path"] == "/v1/models/acme.bare/versions/4:predict"


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        f"Basic {door.key('acme')}",
        f"Bearer {door.key('acme')} ",
        f"Bearer {door.key('acme')}x",
        f"Bearer {door.key('acme')[:-1]}",
        f"Bearer {door.key('acme', 't' * 43)}",
        f"Bearer {door.key('acme', 's' * 4000)}",
        f"Bearer berth_acme.churn_{door.SECRET}",
        f"Bearer {door.digest(door.key('acme'))}",
    ],
)
@pytest.mark.parametrize("path", [f"{CHURN}:predict", "/v1/models/acme.nothing:predict"])
def test_without_a_key_that_is_known_nothing_is_said_of_any_model(ask, path, authorization):
    headers = {} if authorization is None else {"authorization": authorization}
    answer = ask("POST", path, None, headers=headers)
    if authorization == f"Bearer {door.key('acme')} ":
        assert answer.status_code in (200, 404)  # HTTP takes spaces off a header's end
        return
    assert "key" in refused(answer, 401)
    assert answer.headers["www-authenticate"] == "Bearer"


def raw(address, text):
    host, _, port = address.partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as client:
        client.sendall(text)
        return b"".join(iter(lambda: client.recv(65536), b"")).decode(errors="replace")


def head(path=f"{CHURN}:predict", *lines):
    more = "".join(f"{line}\r\n" for line in lines)
    return f"POST {path} HTTP/1.1\r\nHost: door\r\nConnection: close\r\n{more}".encode()


def test_two_keys_are_no_key(standing):
    keys = [f"Authorization: Bearer {door.key(name)}" for name in ("acme", "globex")]
    answer = raw(
        standing[0].address, head(f"{CHURN}:predict", *keys) + b"Content-Length: 0\r\n\r\n"
    )
    assert answer.startswith("HTTP/1.1 401")


@pytest.mark.parametrize(
    "text",
    [
        head() + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        head() + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        head() + b"Content-Length: abc\r\n\r\n",
        head() + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /v1/models/acme.churn\r\n\r\n",
        b"POST http://[x/ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"CONNECT acme.churn:80 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        head("/v1/" + "x" * 20_000) + b"\r\n",
        b"\x00" * 100,
    ],
)
def test_what_is_hardly_http_reaches_nobody(standing, text):
    before = len(standing[1].seen) + len(standing[2].seen)
    assert raw(standing[0].address, text)[:12] in (
        "",
        "HTTP/1.1 400",
        "HTTP/1.1 401",
        "HTTP/1.1 403",
        "HTTP/1.1 404",
        "HTTP/1.1 426",
        "HTTP/1.1 431",
    )
    assert len(standing[1].seen) + len(standing[2].seen) == before


@pytest.mark.parametrize("chunked", [False, True], ids=["of known length", "chunked"])
def test_a_body_has_its_bound(ask, chunked):
    def sent(size):
        return iter([b"x" * size]) if chunked else b"x" * size

    large = 15 * 1024**2
    assert reached(ask("POST", f"{CHURN}:predict", data=sent(large)))["bytes"] == large
    refused(ask("POST", f"{CHURN}:predict", data=sent(17 * 1024**2)), 413)


def test_a_header_that_names_another_model_is_refused(ask):
    named = {"x-berth-model": "globex.churn"}
    assert "x-berth-model" in refused(ask("POST", f"{CHURN}:predict", headers=named), 400)
    assert reached(ask("POST", f"{CHURN}:predict", headers={"x-berth-model": "acme.churn"}))


def test_a_customer_has_the_rate_of_its_plan_and_nobody_elses(ask):
    answers = [ask("POST", "/v1/models/free.slow:predict", "free") for _ in range(30)]
    found = {one.status_code for one in answers}
    assert found == {200, 429}
    limited = next(one for one in answers if one.status_code == 429)
    assert limited.headers["retry-after"] == "1"
    assert refused(limited, 429)
    assert ask("POST", f"{CHURN}:predict").status_code == 200


def test_the_filter_never_failed(standing):
    assert "filter failed" not in standing[0].log.read_text()
