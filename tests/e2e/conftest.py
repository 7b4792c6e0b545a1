"""One stack for all end-to-end tests, driven from outside; it must leave no process behind."""

import itertools
import json
import os
from datetime import UTC, datetime

import psutil
import pytest

from infra.local import stack
from infra.local.layout import Options
from tests.support import e2e, e2e_models, hostile
from tests.support.e2e import Outside, until


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


@pytest.fixture(scope="session")
def slow(tmp_path_factory):
    """A version that takes seconds to load."""
    return e2e_models.slow_to_load(tmp_path_factory.mktemp("slow") / "1")


@pytest.fixture(scope="session")
def orphan(berth, slow):
    """A model whose judge was killed while it was being probed: it comes again in a minute or two."""
    customer = berth.join("orphan", "free")
    berth.fleet.upload(slow, f"{customer}/own/1")
    name = f"admissions/{customer}.own/1.json"
    until("it is being judged", lambda: berth.holder(name, "lease"))
    berth.kill("admit_model")
    assert berth.fleet.verdict(f"{customer}/own/1") is None
    return f"{customer}.own"


@pytest.fixture(scope="session")
def attack(berth, tmp_path_factory):
    """A customer whose models loop and eat memory when they run, and one served at the same time.

    The attacker's plan allows one admission at once: the second model waits for its turn.
    """
    folder = tmp_path_factory.mktemp("hostile")
    endless = hostile.write(hostile.endless_run, folder / "endless")
    eater = hostile.write(hostile.memory_eater, folder / "eater")
    attacker, bystander = berth.join("attacker", "free"), berth.join("bystander")
    began = datetime.now(UTC)
    berth.fleet.upload(endless, f"{attacker}/endless/1")
    name = f"admissions/{attacker}.endless/1.json"
    until("it is being judged", lambda: berth.holder(name, "lease"))
    berth.fleet.upload(eater, f"{attacker}/eater/1")
    assert "1 at once" in berth.verdict(f"{attacker}/eater/1", "PENDING")["reason"]
    berth.fleet.upload(e2e.HALF_PLUS_TWO, f"{bystander}/own/1")
    berth.serves(f"{bystander}.own", 1, e2e.TWO)
    assert berth.fleet.verdict(f"{attacker}/endless/1") is None
    return attacker, began


@pytest.fixture(scope="session", autouse=True)
def begun_early(request):
    """What takes long by nature begins before everything else."""
    for name in ("orphan", "attack"):
        if any(name in item.fixturenames for item in request.session.items):
            request.getfixturevalue(name)


@pytest.fixture
def settled(berth):
    """Nothing is being judged any more, not even what began early."""

    def judged():
        found = berth.fleet.storage.list_blobs(berth.fleet.control, prefix="admissions/")
        return all(json.loads(blob.download_as_bytes())["verdict"] for blob in found)

    until("everything is judged", judged, seconds=150, every=0.5)


@pytest.fixture
def policy(berth):
    """Write the operator's policy; it is the default again afterwards."""
    blob = berth.fleet.control.blob("fleet/policy.json")
    yield lambda **fields: blob.upload_from_string(json.dumps(fields))
    blob.delete()


@pytest.fixture
def disturbing():
    """What another test's models feel: they are suspected of a server's end, or announced once more."""


def pytest_collection_modifyitems(items):
    """What needs patience comes last, and after it what others feel."""
    patient = {"orphan", "settled"}
    items.sort(
        key=lambda item: (
            "disturbing" in item.fixturenames,
            not patient.isdisjoint(item.fixturenames),
        )
    )


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
