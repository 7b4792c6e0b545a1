"""A small stand-in for the Google APIs that a deployment asks by HTTP, before a storage emulator.

It answers token requests, testIamPermissions, the list of regions, and the settings of buckets that
the emulator does not keep; everything else below /storage goes on to the emulator as it is.
"""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import requests

_KEPT = ("iamConfiguration", "versioning", "location")
_REGIONS = ("global", "europe-west1", "europe-west4", "us-central1")


class GoogleHttp:
    """The server; `writes` lists what changed storage, `denied` the permissions nobody has."""

    def __init__(self, storage):
        self.storage, self.buckets, self.writes = storage, {}, []
        self.denied, self.unknown, self.login_works = set(), set(), True
        self.asked, self.forbidden = [], set()
        self.applied = lambda state: None
        here = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def _any(self):
                status, headers, body = here.answer(
                    self.command, self.path, dict(self.headers), self._body()
                )
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def _body(self):
                if self.headers.get("Transfer-Encoding") != "chunked":
                    return self.rfile.read(int(self.headers.get("Content-Length") or 0))
                parts = []
                while size := int(self.rfile.readline(), 16):
                    parts.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                return b"".join(parts)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _any

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, method, path, headers, body):
        parts = urlsplit(path).path.strip("/").split("/")
        if self.forbidden & set(parts):
            return _json(403, {"error": {"code": 403, "message": "Forbidden"}})
        if parts == ["token"]:
            return self._token()
        if path.endswith(":testIamPermissions"):
            return self._permissions(json.loads(body)["permissions"])
        if parts == ["regions"]:
            return _json(200, {"prefixes": [{"scope": one} for one in _REGIONS]})
        if parts == ["applied"]:
            self.applied(json.loads(body))
            return _json(200, {})
        if parts[:3] == ["storage", "v1", "b"] and len(parts) <= 4:
            return self._bucket(method, path, parts[3:], body)
        return self._pass_on(method, path, headers, body)

    def _token(self):
        if not self.login_works:
            return _json(400, {"error": "invalid_grant", "error_description": "Token expired."})
        return _json(200, {"access_token": "t", "expires_in": 3600, "token_type": "Bearer"})

    def _permissions(self, asked):
        self.asked.append(asked)
        if self.unknown & set(asked):
            return _json(400, {"error": {"code": 400, "message": "Permission is not valid"}})
        return _json(200, {"permissions": [one for one in asked if one not in self.denied]})

    def _bucket(self, method, path, name, body):
        sent = json.loads(body) if body else {}
        if name and name[0] not in self.buckets:
            return _json(404, {"error": {"code": 404, "message": "The bucket does not exist."}})
        if method == "POST":
            self.create(sent["name"], **{key: sent[key] for key in _KEPT if key in sent})
            name = [sent["name"]]
        elif method == "PATCH":
            self.writes.append(f"PATCH {name[0]}")
            self.buckets[name[0]].update({key: sent[key] for key in _KEPT if key in sent})
        elif method != "GET" or not name:
            return _json(501, {"error": {"code": 501, "message": f"{method} {path}"}})
        kept = {"kind": "storage#bucket", "id": name[0], "name": name[0], **self.buckets[name[0]]}
        return _json(200, kept)

    def create(self, name, **settings):
        """Make a bucket, unless it is there."""
        if name not in self.buckets:
            self.writes.append(f"POST {name}")
            self.buckets[name] = settings
            url = f"{self.storage}/storage/v1/b?project=any"
            requests.post(url, json={"name": name}, timeout=10).raise_for_status()

    def _pass_on(self, method, path, headers, body):
        if method != "GET" and method != "HEAD":
            self.writes.append(f"{method} {path}")
        skipped = {"host", "content-length", "transfer-encoding", "connection", "accept-encoding"}
        sent = {key: one for key, one in headers.items() if key.lower() not in skipped}
        url = self.storage + path
        reply = requests.request(
            method, url, headers={**sent, "Accept-Encoding": "identity"}, data=body, timeout=60
        )
        passed = {
            key: one.replace(self.storage, self.url)
            for key, one in reply.headers.items()
            if key.lower() not in {"content-length", "connection", "transfer-encoding", "date"}
        }
        return reply.status_code, passed, reply.content


def _json(status, value):
    return status, {"Content-Type": "application/json"}, json.dumps(value).encode()
