"""Bills of materials and the audit, with the real tools: what they say is what the locks hold."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jsonschema
import pytest
import referencing

from infra.dependencies import accepted, audit, environment, locks, sbom
from infra.dependencies.audit import Unreachable

BILLS = {**locks.of_functions(), sbom.DEVELOPMENT: locks.PROJECT}
CONTROL = {
    "id": "PYSEC-2018-28",
    "aliases": ["CVE-2018-18074"],
    "summary": "a password goes to another host",
    "affected": [
        {
            "package": {"ecosystem": "PyPI", "name": "requests"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.20.0"}]}],
            "versions": ["2.19.1"],
        }
    ],
}


@pytest.fixture(scope="session")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sbom")
    return {path.name.removesuffix(".cdx.json"): path.read_bytes() for path in sbom.write(folder)}


@pytest.fixture(scope="session")
def bills(written):
    return {name: json.loads(content) for name, content in written.items()}


@pytest.fixture(scope="session")
def validator():
    """CycloneDX's own schema, as its library carries it."""
    python = environment.python("cyclonedx", sbom.LOCK)
    (folder,) = python.parents[1].glob("lib/*/site-packages/cyclonedx/schema/_res")
    read = {path.name: json.loads(path.read_text()) for path in folder.glob("*.schema.json")}
    bill = read["bom-1.6.SNAPSHOT.schema.json"]
    # They refer to each other by the names of their files.
    near = bill["$id"].rpartition("/")[0]
    named = [(f"{near}/{name}", referencing.Resource.from_contents(s)) for name, s in read.items()]
    registry = referencing.Registry().with_resources(named)
    return jsonschema.Draft7Validator(bill, registry=registry)


@pytest.mark.parametrize("name", BILLS)
def test_a_bill_lists_just_what_the_lock_holds(name, bills, validator):
    bill = bills[name]
    validator.validate(bill)
    listed = {(one["purl"], one["version"]) for one in bill["components"]}
    pins = locks.read(BILLS[name]).values()
    assert listed == {(f"pkg:pypi/{pin.name}@{pin.version}", pin.version) for pin in pins}
    digest = environment.folder("x", BILLS[name]).name.removeprefix("x-")
    main = bill["metadata"]["component"]
    assert (main["name"], main["version"]) == (f"berth-{name.replace('_', '-')}", digest)


def test_a_bill_written_again_is_the_same_bytes_and_names_no_place(written, tmp_path):
    again = {path.name: path.read_bytes() for path in sbom.write(tmp_path / "again")}
    assert again == {f"{name}.cdx.json": content for name, content in written.items()}
    places = (str(environment.cache()), str(environment.ROOT), str(tmp_path))
    assert [
        (name, place) for name, one in written.items() for place in places if place in one.decode()
    ] == []


def test_nothing_that_is_locked_has_a_known_vulnerability():
    try:
        found = audit.run()
    except Unreachable as error:
        pytest.skip(f"no service of vulnerabilities can be asked from here: {error}")
    assert audit.problems(found, accepted.read().vulnerabilities) == []


@contextmanager
def advisories(monkeypatch, vulnerable):
    """A service in the protocol of osv.dev that knows the versions of `vulnerable` alone."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            known = (asked["package"]["name"], asked["version"]) in vulnerable
            body = json.dumps({"vulns": [CONTROL]} if known else {}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        monkeypatch.setattr(audit, "SERVICES", ("osv",))
        monkeypatch.setenv("PIP_AUDIT_OSV_URL", url)
        yield
        server.shutdown()


def test_a_service_that_knows_the_control_is_asked_about_a_lock(monkeypatch):
    with advisories(monkeypatch, {("requests", "2.19.1"), ("requests", "2.34.2")}):
        assert audit.service() == "osv"
        (fault,) = audit.faults(audit._ask("osv", locks.of_functions()["status"]))
    assert (fault.package, fault.version, fault.fixed) == ("requests", "2.34.2", ("2.20.0",))
    assert fault.names == ("PYSEC-2018-28", "CVE-2018-18074")


def test_a_service_that_knows_nothing_is_not_believed(monkeypatch):
    with (
        advisories(monkeypatch, set()),
        pytest.raises(Unreachable, match="does not know a fault of 2018"),
    ):
        audit.run()


def test_what_answers_nothing_is_named(monkeypatch):
    monkeypatch.setattr(audit, "SERVICES", ("osv",))
    monkeypatch.setenv("PIP_AUDIT_OSV_URL", "http://127.0.0.1:9")
    with pytest.raises(Unreachable, match=r"osv: .*127\.0\.0\.1"):
        audit.run()
