"""One stack for all end-to-end tests, driven from outside; it must leave no process behind."""

import itertools
import os

import psutil
import pytest

from infra.demo.fleet import until
from infra.local import stack
from infra.local.layout import Options
from tests.support.e2e import Outside


@pytest.fixture(scope="session")
def berth(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        running = stack.start(tmp_path_factory.mktemp("berth"), Options(owner=os.getpid()))
        family = psutil.Process(running.folder.read().supervisor.pid)
        started = []
        try:
            for name, value in running.environment.items():
                patch.setenv(name, value)
            outside = Outside(running)
            until("the first replicas are ready", lambda: len(outside.fleet.replicas.ready()) >= 4)
            yield outside
            outside.close()
            started = [family, *family.children(recursive=True)]
        finally:
            running.stop()
        assert len(started) > len(("etcd", "storage", "pubsub"))
        assert [one for one in started if one.is_running() and one.status() != "zombie"] == []


_numbers = itertools.count(1)


@pytest.fixture
def customer(berth, request):
    """A customer of this test's own, signed up on the standard plan."""
    return berth.join(name_of(request))


@pytest.fixture
def stranger(request):
    """A name that nobody has signed up."""
    return name_of(request)


def name_of(request):
    words = request.node.name.removeprefix("test_").split("[")[0].replace("_", "-")
    return f"{words[:24].strip('-')}-{next(_numbers)}"
