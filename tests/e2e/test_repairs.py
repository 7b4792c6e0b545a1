"""What is derived is rebuilt, what was edited by hand is set back, and nobody who predicts notices."""

import json

import kubernetes
import pytest

from infra.demo.replicas import NAMESPACE
from tests.support import e2e
from tests.support.e2e import until


@pytest.fixture
def served(berth, customer):
    """A model that serves on every replica."""
    berth.fleet.upload(e2e.HALF_PLUS_TWO, f"{customer}/own/1")
    berth.serves(f"{customer}.own", 1, e2e.TWO)
    return f"{customer}.own"


def projection(berth, servable):
    shard = berth.fleet.model(servable)["shard"]
    return berth.fleet.control.blob(f"shards/{shard}/models/{servable}")


def is_current(berth, servable):
    """Whether the projection is there and made from the model's newest document."""
    blob = berth.fleet.control.get_blob(projection(berth, servable).name)
    document = berth.fleet.control.get_blob(f"models/{servable}.json")
    return blob is not None and blob.metadata["document"] == str(document.generation)


def passed(berth, shard):
    """Have the shard looked at once, to the end of the pass."""
    message = berth.publish("shard-requests", {"shard": shard})
    return berth.handled("reconcile_shard", message)


def test_a_deleted_projection_unloads_nothing_and_is_written_again(berth, served):
    shard = berth.fleet.model(served)["shard"]
    with berth.load(served, (e2e.TWO,)):
        projection(berth, served).delete()
        passed(berth, shard)
        assert all(berth.loaded(served))
        berth.fleet.tick()
        until("it is written again", lambda: is_current(berth, served))
        passed(berth, shard)
    berth.serves(served, 1, e2e.TWO)


def test_an_older_projection_is_brought_up_to_date(berth, customer, served):
    shard = berth.fleet.model(served)["shard"]
    blob = berth.fleet.control.get_blob(projection(berth, served).name)
    older = dict(blob.metadata)
    berth.fleet.upload(e2e.HALF_PLUS_THREE, f"{customer}/own/2")
    berth.serves(served, 2, e2e.THREE)
    stale = berth.fleet.control.blob(blob.name)
    stale.metadata = older
    stale.upload_from_string(b"")
    assert not is_current(berth, served)
    berth.fleet.tick()
    until("it is up to date", lambda: is_current(berth, served))
    passed(berth, shard)
    berth.serves(served, 2, e2e.THREE)


@pytest.mark.usefixtures("disturbing")
def test_a_lost_status_is_observed_again_under_load(berth, served):
    shard = berth.fleet.model(served)["shard"]
    name = f"shards/{shard}/status.json"
    loaded = berth.fleet.ask(f"/shards/{shard}")["models"]
    with berth.load(served, (e2e.TWO,)):
        berth.fleet.control.blob(name).delete()
        berth.fleet.tick()
        until("it is there again", lambda: berth.fleet.control.get_blob(name) is not None)
        berth.serves(served, 1, e2e.TWO)
    again = berth.fleet.ask(f"/shards/{shard}")
    assert set(again["models"]) == set(loaded)
    assert {r["name"] for r in again["replicas"]} == {
        r.name for r in berth.fleet.replicas.ready(shard)
    }


def test_a_field_edited_by_hand_is_set_back(berth, served):
    shard = berth.fleet.model(served)["shard"]
    apps = kubernetes.client.AppsV1Api(
        kubernetes.config.new_client_from_config(berth.stack.environment["KUBECONFIG"])
    )
    (deployment,) = apps.list_namespaced_deployment(
        NAMESPACE, label_selector=f"berth.dev/shard={shard}"
    ).items
    name = deployment.metadata.name
    edit = {"spec": {"strategy": {"rollingUpdate": {"maxUnavailable": 1}}}}
    apps.patch_namespaced_deployment(name, NAMESPACE, edit, field_manager="kubectl-edit")

    def unavailable():
        found = apps.read_namespaced_deployment(name, NAMESPACE)
        return found.spec.strategy.rolling_update.max_unavailable

    assert unavailable() == 1
    berth.fleet.tick()
    until("it is set back", lambda: unavailable() == 0)
    apps.api_client.close()
    berth.serves(served, 1, e2e.TWO)


def test_an_idle_fleet_writes_nothing(berth, served, settled):
    """By generations and by the API server's audit log, never by Berth's own counters.

    A fleet is idle while no pod changes. One that was late to answer its probe, on a machine with
    other work, is a difference that a pass takes the lease for, and gone when it looks again.
    """
    fleet = berth.fleet

    def look():
        generations, audited = fleet.generations(), fleet.audit_size()
        tick = fleet.tick()
        berth.handled("reconcile_fleet", tick)
        for shard in fleet.ask("/fleet")["shards"]:
            passed(berth, shard)
        objects = generations.items() ^ fleet.generations().items()
        return sorted(objects), fleet.cluster_writes(audited), fleet.pod_changes(audited)

    until("the fleet settles", lambda: not any(look()))
    looks = []

    def idle():
        looks.append(look())
        return not looks[-1][2]

    until("a look while no pod changes", idle)
    assert json.dumps(looks[-1]) == "[[], [], []]"
