"""What the watch of replicas makes of an API server that forgets, ends a watch or breaks off, told by a script."""

import json
import threading

import pytest

from berth.adapters import kubernetes
from berth.adapters.kubernetes_watch import WatchedReplicas


def pod(name, address, *, ready=True, version="5"):
    condition = {"type": "Ready", "status": str(ready)}
    meta = {"name": name, "uid": name, "resourceVersion": version}
    return {
        "metadata": meta | {"labels": {kubernetes.SHARD_LABEL: "s-1"}},
        "status": {"phase": "Running", "podIP": address, "conditions": [condition]},
    }


class Answer:
    """A response as the client's transport hands it out."""

    def __init__(self, status, *parts):
        self.status, self._parts, self.response = status, parts, self

    def read(self):
        return b"".join(self._parts)

    def stream(self, _):
        yield from self._parts

    def close(self):
        pass


class Server:
    """Gives the answers of a script, then ends; `asked` are the queries."""

    def __init__(self, *answers):
        self._answers, self.asked, self.done = list(answers), [], threading.Event()

    def param_serialize(self, method, path, *, query_params, header_params):
        return (dict(query_params),)

    def call_api(self, query, _request_timeout):
        if not self._answers:
            self.done.set()
            threading.Event().wait()
        self.asked.append(query)
        return self._answers.pop(0)


def listing(*pods, version="7"):
    return Answer(
        200, json.dumps({"items": pods, "metadata": {"resourceVersion": version}}).encode()
    )


def event(kind, item):
    return json.dumps({"type": kind, "object": item}).encode() + b"\n"


def followed(*answers):
    server = Server(*answers)
    replicas = WatchedReplicas("berth", server)
    replicas.start()
    assert server.done.wait(10)
    return replicas.ready(), server.asked


GONE = {"code": 410, "metadata": {}}


@pytest.mark.parametrize("stale", [Answer(410, b"{}"), Answer(200, event("ERROR", GONE))])
def test_a_server_that_forgot_is_asked_for_everything_again(stale):
    found, asked = followed(listing(pod("a", "1.1.1.1")), stale, listing(pod("b", "1.1.1.2")))
    assert found == {"s-1": ("1.1.1.2",)}
    assert ["watch" in query for query in asked] == [False, True, False]


def test_a_watch_that_ended_goes_on_where_it_was():
    change = event("MODIFIED", pod("a", "1.1.1.1", ready=False, version="8"))
    mark = event("BOOKMARK", {"metadata": {"resourceVersion": "11"}})
    more = event("ADDED", pod("b", "1.1.1.2", version="12"))
    cut = len(more) // 2
    found, asked = followed(
        listing(pod("a", "1.1.1.1")),
        Answer(200, change, mark),
        Answer(200, more[:cut], more[cut:]),
    )
    assert found == {"s-1": ("1.1.1.2",)}
    assert [query.get("resourceVersion") for query in asked] == [None, "7", "11"]
