"""A small HTTP server that pods of tests run: it does on request what containers do in practice."""

import argparse
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

ADDRESS = os.environ["BERTH_POD_IP"]
KEPT = []


def hog(_):
    while True:
        KEPT.append(b"x" * 2**20)


def spin(query):
    end = time.monotonic() + float(query["seconds"])
    while time.monotonic() < end:
        pass
    return "done"


def write(query):
    try:
        Path(query["path"]).write_text("x")
    except OSError as error:
        return error.strerror
    return "written"


ACTIONS = {
    "/healthz": lambda _: "ok",
    "/hog": hog,
    "/spin": spin,
    "/write": write,
    "/exit": lambda query: os._exit(int(query["code"])),
    "/ls": lambda query: "\n".join(sorted(os.listdir(query["path"]))),
    "/read": lambda query: Path(query["path"]).read_text(),
    "/id": lambda _: f"{os.getuid()} {os.getpid()}",
    "/environment": lambda query: os.environ.get(query["name"], ""),
}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        url = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        text = ACTIONS[url.path](query).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


def serve_health(port):
    from concurrent.futures import ThreadPoolExecutor

    import grpc
    from grpc_health.v1 import health, health_pb2, health_pb2_grpc

    server = grpc.server(ThreadPoolExecutor(2))
    servicer = health.HealthServicer()
    servicer.set("", health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    server.add_insecure_port(f"{ADDRESS}:{port}")
    server.start()
    return server


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--health", type=int)
    parser.add_argument("--stubborn", action="store_true")
    arguments = parser.parse_args()
    server = ThreadingHTTPServer((ADDRESS, arguments.port), Handler)
    if arguments.health:
        KEPT.append(serve_health(arguments.health))

    def end(*_):
        print("terminated", time.time(), flush=True)
        if not arguments.stubborn:
            threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, end)
    print("serving", time.time(), flush=True)
    server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
