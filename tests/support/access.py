"""Ways into a test's cluster: a kubeconfig's own user, other tokens, and a metadata server."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import certifi
import yaml
from kubernetes.client import ApiClient

from berth.adapters import kubernetes

ACCOUNT = "berth-reconcile-shard@p.iam.gserviceaccount.com"


def another_authority() -> str:
    """A certificate authority that signed nothing here, as PEM in base64."""
    end = "-----END CERTIFICATE-----\n"
    lines = Path(certifi.where()).read_text().partition(end)[0].splitlines()
    pem = "\n".join(line for line in lines if line and not line.startswith("#")) + f"\n{end}"
    return base64.b64encode(pem.encode()).decode()


def cluster(kubeconfig: Path) -> tuple[str, str, str]:
    """Endpoint, authority and token of a kubeconfig."""
    config = yaml.safe_load(Path(kubeconfig).read_text())
    found, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    return found["server"], found["certificate-authority-data"], user["token"]


def client(kubeconfig: Path, token: str = "") -> ApiClient:
    """Berth's own client, as the kubeconfig's user or as whom `token` belongs to."""
    endpoint, authority, own = cluster(kubeconfig)
    return kubernetes.connect(endpoint, authority, lambda refused="": token or own)


@dataclass
class Metadata:
    """A metadata server: the tokens it gives, the last one again and again, and how long they live.

    `asked` are the scopes of each request for a token.
    """

    host: str
    tokens: list[str] = field(default_factory=list)
    seconds: int = 3600
    status: int = 200
    asked: list[list[str]] = field(default_factory=list)


@contextmanager
def metadata() -> Iterator[Metadata]:
    """Serve until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            where = urlsplit(self.path)
            if not where.path.endswith("/token"):
                self.answer(200, {"email": ACCOUNT, "scopes": [], "aliases": ["default"]})
                return
            served.asked.append(parse_qs(where.query).get("scopes", [""])[0].split(","))
            token = served.tokens.pop(0) if len(served.tokens) > 1 else served.tokens[0]
            body = {"access_token": token, "expires_in": served.seconds, "token_type": "Bearer"}
            self.answer(served.status, body)

        def answer(self, status: int, body: object) -> None:
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Metadata-Flavor", "Google")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = True
    served = Metadata(f"127.0.0.1:{listening.server_port}")
    thread = threading.Thread(target=listening.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield served
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()
