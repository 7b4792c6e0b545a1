"""A real Envoy with the door's configuration, and servers behind it that say what reached them."""

import contextlib
import hashlib
import json
import os
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import grpc

from berth.domain import door, door_bootstrap
from berth.domain.routing import ModelRoute, ShardRoutes
from berth.door import script
from infra.local import envoy

SECRET = "s" * 43
UNBOUNDED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


def key(customer, secret=SECRET):
    """A customer's key."""
    return f"berth_{customer}_{secret}"


def digest(token):
    return hashlib.sha256(token.encode()).hexdigest()


def route(customer, *versions, **more):
    """A model's route as reconcile_shard writes it: the newest is the default."""
    told = {"default": versions[-1] if versions else None, "plan": "enterprise"} | more
    return ModelRoute(versions=versions, keys=(digest(key(customer)),), **told)


def shard(name, **models):
    """A shard's routes; `acme__churn` stands for acme.churn."""
    return ShardRoutes(
        shard=name, models={one.replace("__", "."): told for one, told in models.items()}
    )


class _Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _answer(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if "chunked" in self.headers.get("transfer-encoding", ""):
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        seen = {
            "server": self.server.server_address[0],
            "method": self.command,
            "path": self.path,
            "headers": {k.lower(): v for k, v in self.headers.items()},
            "bytes": len(body),
        }
        self.server.seen.append(seen)
        data = json.dumps(seen).encode()
        self.send_response(self.server.status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_DELETE = _answer

    def log_message(self, *_):
        pass


class Upstream:
    """A replica that answers anything on both ports, with what it was asked."""

    def __init__(self, address):
        self.address, self.seen = address, []
        self.rest = ThreadingHTTPServer((address, 8501), _Echo)
        self.rest.daemon_threads = True
        self.rest.seen, self.rest.status = self.seen, 200
        self._thread = threading.Thread(target=self.rest.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        self._grpc = grpc.server(ThreadPoolExecutor(8), options=UNBOUNDED)
        self._grpc.add_generic_rpc_handlers((self,))
        assert self._grpc.add_insecure_port(f"{address}:8500")
        self._grpc.start()

    def service(self, details):
        def answer(request, context):
            told = dict(context.invocation_metadata())
            self.seen.append({"path": details.method, "headers": told, "body": request})
            return request

        return grpc.unary_unary_rpc_method_handler(answer)

    def close(self):
        self.rest.shutdown()
        self.rest.server_close()
        self._thread.join()
        self._grpc.stop(0).wait()


def free_port(address):
    with socket.socket() as probe:
        probe.bind((address, 0))
        return probe.getsockname()[1]


def site(folder, address):
    return door.Site(
        folder=str(folder / "door"),
        address=address,
        port=free_port(address),
        admin=str(folder / "admin.sock"),
        health_port=free_port(address),
        script=script(),
        rates={"free": 1, "enterprise": 100_000},
    )


def write(folder, files):
    """Put files in place as the sidecar does: each by a rename."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.part")
        part.write_bytes(data)
        os.rename(part, path)


class Door:
    """Envoy, running. `update` writes what a fleet's routes and pods make of its files."""

    def __init__(self, folder, address):
        self.site, self.folder = site(folder, address), folder
        self.address = f"{address}:{self.site.port}"
        self.url = f"http://{self.address}"
        self.log = folder / "envoy.log"
        self._process = None

    def update(self, fleet, pods):
        made = door.render(self.site, fleet, pods)
        for files in (door.listed(made.clusters), made.listeners, made.table):
            write(Path(self.site.folder), files)
        for path in (Path(self.site.folder) / "models").glob("*"):
            if f"models/{path.name}" not in made.table:
                path.unlink()

    def bootstrap(self):
        path = self.folder / "bootstrap.json"
        path.write_bytes(door_bootstrap.render(self.site, 512 * 1024**2))
        return path

    def command(self, *more):
        mode = ("--disable-hot-restart", "-l", "warning")
        return (str(envoy.binary()), "-c", str(self.bootstrap()), *mode, *more)

    def start(self):
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                self.command("--concurrency", "2"), stdout=log, stderr=subprocess.STDOUT
            )
        self.wait(self.ready)

    def ready(self):
        with contextlib.suppress(OSError):
            return "LIVE" in self.admin("GET", "/ready")
        return False

    def admin(self, method, path):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(self.site.admin)
            client.sendall(
                f"{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode()
            )
            return b"".join(iter(lambda: client.recv(65536), b"")).decode()

    def wait(self, condition, seconds=30):
        end = time.monotonic() + seconds
        while not condition():
            assert self._process.poll() is None, self.log.read_text()[-4000:]
            assert time.monotonic() < end, self.log.read_text()[-4000:]
            time.sleep(0.02)

    def stop(self):
        if self._process:
            self._process.terminate()
            self._process.wait(20)
