"""Servers that are really killed by a model: at its load and at its requests; it harms itself alone.

Admission refuses what kills at load. So that is put where a fault of admission would have let it;
what kills when it is asked is uploaded and admitted as any other. Memory is the container's own
limit, a control group's; the signal is TensorFlow's own abort().
"""

import contextlib
import math

import pytest
import requests

from berth.adapters.kubernetes import KubernetesWorkloads
from infra.demo.load import Load
from tests.support import access, e2e, e2e_poison
from tests.support.e2e import until

RATE = 20.0
pytestmark = pytest.mark.usefixtures("disturbing")
PATIENCE = 150.0  # a container's second restart waits ten seconds, a suspect for all replicas


@pytest.fixture
def workloads(berth):
    client = access.client(berth.stack.environment["KUBECONFIG"])
    yield KubernetesWorkloads("berth", client)
    client.close()


@pytest.fixture
def homes(berth, stranger):
    """On each of two shards a customer with a model, and a neighbour with one: {shard: (one, other)}.

    Nobody is at home on a shard that another test had made while these have room.
    """
    shards = sorted(berth.fleet.ask("/fleet")["shards"])[:2]
    found = {shard: [] for shard in shards}
    for number in range(40):
        if all(len(names) == 2 for names in found.values()):
            break
        name = berth.join(f"{stranger}-{number}")
        home = found[berth.account(name)["home_shard"]]
        if len(home) < 2:
            home.append(f"{name}.own")
            berth.fleet.upload(e2e.HALF_PLUS_TWO, f"{name}/own/1")
    for names in found.values():
        for servable in names:
            berth.serves(servable, 1, e2e.TWO)
    yield found
    victims = {shard: victim for shard, (victim, _) in found.items()}
    for victim in victims.values():  # were a status document lost, they would be tried again
        customer, _, model = victim.partition(".")
        berth.customer_event("model.deleted", customer, model=model)

    def gone():
        ready = berth.fleet.replicas.ready
        return not any(any(berth.loaded(v, ready(shard))) for shard, v in victims.items())

    until("the victims are gone", gone, seconds=PATIENCE)


@contextlib.contextmanager
def asked(berth, servable):
    """Ask for a model steadily on all its replicas; what failed is judged by the test."""
    shard = berth.fleet.model(servable)["shard"]

    def right(body):
        return math.isclose(body["predictions"][0], e2e.TWO)

    def targets():
        return berth.fleet.replicas.ready(shard)

    with Load(servable, b'{"instances": [2.0]}', targets, right, rate=RATE) as load:
        until("the load runs", lambda: load.sent > RATE)
        yield load


def deaths(workloads, shard):
    """How often each replica's server ended."""
    return {pod.name: pod.restarts for pod in workloads.pods(shard)}


def added(before, after):
    return {name: count - before.get(name, 0) for name, count in after.items()}


def held(berth, servable, number):
    """What the status function tells the customer of a version."""
    rows = {row["version"]: row for row in berth.fleet.model(servable)["versions"]}
    return rows.get(number, {})


def final(berth, servable, number):
    """Whether it is quarantined for good; asks for a tick, as a minute would."""
    row = held(berth, servable, number)
    if row.get("state") == "QUARANTINED" and "is not tried again" in row["reason"]:
        return True
    berth.fleet.tick()
    berth.fleet.replicas.wait_for_change(1.0)
    return False


def begins_anew(berth, shard):
    """Every replica is lost at once; all come back, and have what is announced from the first."""
    models = berth.fleet.ask(f"/shards/{shard}")["models"]
    announced = {n: set(r["announced"]) for n, r in models.items() if r["announced"]}
    old = {replica.uid: replica for replica in berth.fleet.replicas.ready(shard)}
    for replica in old.values():
        berth.fleet.replicas.kill(replica)

    def fresh():
        return [r for r in berth.fleet.replicas.ready(shard) if r.uid not in old]

    until("all are there again", lambda: len(fresh()) >= len(old), seconds=PATIENCE)
    for replica in fresh():
        for servable, versions in announced.items():
            assert berth.versions(replica, servable, "AVAILABLE") >= versions


def test_a_version_that_kills_at_load_ends_one_replica_twice(berth, workloads, homes, tmp_path):
    """On one shard by a signal, on another by memory."""
    fleet = berth.fleet
    kills = (
        (e2e_poison.aborts_at_load, "exit code 134"),
        (e2e_poison.eats_memory_at_load, "OOMKilled"),
    )
    before = {shard: deaths(workloads, shard) for shard in homes}
    with contextlib.ExitStack() as stack:
        loads = {}
        for (shard, (victim, neighbour)), (edit, _) in zip(homes.items(), kills, strict=True):
            loads[shard] = [stack.enter_context(asked(berth, n)) for n in (victim, neighbour)]
            folder = e2e_poison.write(edit, tmp_path / shard)
            e2e_poison.slip_in(fleet, folder, victim, 2)
        for victim, _ in homes.values():
            until(f"{victim} 2 is held", lambda v=victim: final(berth, v, 2), seconds=PATIENCE)
    for (shard, (victim, neighbour)), (_, word) in zip(homes.items(), kills, strict=True):
        assert word in held(berth, victim, 2)["reason"]
        assert word in berth.mail.of(victim, "model.quarantined", 2)[-1]["data"]["reason"]
        until("both replicas are back", lambda s=shard: len(fleet.replicas.ready(s)) == 2)
        died = {n: c for n, c in added(before[shard], deaths(workloads, shard)).items() if c}
        assert sum(died.values()) == 2
        assert len(died) == 1, "only the pilot loads what is not proven"
        (pilot,) = died
        for load in loads[shard]:
            elsewhere = [told for told in load.failures if f" {pilot}: " not in told]
            assert elsewhere == []
            assert len(load.answered) >= 2
        for servable in (victim, neighbour):
            berth.serves(servable, 1, e2e.TWO)
    for shard, names in homes.items():
        begins_anew(berth, shard)
        for servable in names:
            berth.serves(servable, 1, e2e.TWO)


def test_a_version_that_kills_when_asked_is_withdrawn(berth, workloads, homes, tmp_path):
    fleet, shard = berth.fleet, sorted(homes)[0]
    victim, neighbour = homes[shard]
    customer = victim.partition(".")[0]
    folder = e2e_poison.write(e2e_poison.eats_memory_when_asked, tmp_path / "2")
    before = deaths(workloads, shard)
    fleet.upload(folder, f"{customer}/own/2")
    berth.serves(victim, 2, e2e.TWO)

    def one_request():
        """A client that asks for too much, of one replica after another, while it is served."""
        died = sum(added(before, deaths(workloads, shard)).values())
        ready = fleet.ready(victim)
        if fleet.serving(victim, 2) and len(ready) >= 2:
            with contextlib.suppress(requests.ConnectionError):
                ask(ready[died % len(ready)])
        return final(berth, victim, 2)

    def ask(replica):
        url = f"{replica.url}/v1/models/{victim}/versions/2:predict"
        answer = fleet.http.post(url, json={"instances": [e2e_poison.ENOUGH]}, timeout=30)
        assert answer.status_code != 200, answer.text

    until("it is withdrawn for good", one_request, seconds=PATIENCE)
    assert "OOMKilled" in held(berth, victim, 2)["reason"]
    assert berth.mail.of(victim, "model.quarantined", 2)
    until("both replicas are back", lambda: len(fleet.replicas.ready(shard)) == 2)
    died = sum(added(before, deaths(workloads, shard)).values())
    assert died <= 4
    for servable in (victim, neighbour):
        berth.serves(servable, 1, e2e.TWO)
    begins_anew(berth, shard)
    assert sum(deaths(workloads, shard).values()) == 0
    for servable in (victim, neighbour):
        berth.serves(servable, 1, e2e.TWO)
