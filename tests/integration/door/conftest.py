"""One Envoy with two shards behind it, shared by the tests of a file."""

import itertools
import os

import grpc
import pytest
import requests

from berth.domain.routing import ModelRoute
from tests.support import door

_NUMBERS = itertools.count(1)


def _addresses(count):
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    return [f"127.{140 + worker}.{os.getpid() % 250}.{next(_NUMBERS)}" for _ in range(count)]


def fleet():
    """Two shards: one serves acme, the other globex."""
    acme = door.route("acme", 3, 4, default=3, labels={"stable": 3, "next": 4})
    held = {"keys": (door.digest(door.key("acme")),)}
    return [
        door.shard(
            "s-1",
            acme__churn=acme,
            acme__loading=ModelRoute(reason="it is being loaded", **held),
            acme__leaving=ModelRoute(**held),
            acme__bare=door.route("acme", 4, default=None, labels={"stable": 4}),
            free__slow=door.route("free", 1, plan="free"),
        ),
        door.shard("s-2", globex__churn=door.route("globex", 7)),
    ]


@pytest.fixture(scope="module")
def standing(tmp_path_factory):
    """(door, upstream of s-1, upstream of s-2)."""
    own, first, second = _addresses(3)
    servers = [door.Upstream(first), door.Upstream(second)]
    made = door.Door(tmp_path_factory.mktemp("door"), own)
    made.update(fleet(), {"s-1": [first], "s-2": [second]})
    try:
        made.start()
        yield (made, *servers)
    finally:
        made.stop()
        for server in servers:
            server.close()


@pytest.fixture
def ask(standing):
    """Ask by REST; the answer's status, JSON and headers."""
    made, *_ = standing

    def send(method, path, customer="acme", **more):
        headers = {"authorization": f"Bearer {door.key(customer)}"} if customer else {}
        url = requests.Request(method, made.url, headers=headers | more.pop("headers", {}), **more)
        ready = url.prepare()
        ready.url = made.url + path  # as it is: nothing is normalised on the way
        with requests.Session() as session:
            return session.send(ready, timeout=20)

    return send


@pytest.fixture
def call(standing):
    """Call by gRPC: the answer's bytes, or the status and what it says."""
    made, *_ = standing
    with grpc.insecure_channel(made.address, options=door.UNBOUNDED) as channel:

        def send(method, message, customer="acme", **headers):
            told = [(key.replace("_", "-"), value) for key, value in headers.items()]
            if customer:
                told.append(("authorization", f"Bearer {door.key(customer)}"))
            stub = channel.unary_unary(f"/tensorflow.serving.{method}")
            try:
                return stub(message, metadata=told, timeout=20)
            except grpc.RpcError as error:
                return error.code(), error.details()

        yield send
