"""The overlays of the cloud, live: under each of them the functions serve, as their own account."""

import json
from pathlib import Path

import pytest

from infra import manifests
from tests.support import e2e, overlays
from tests.support.e2e import until

ACCOUNT = "system:serviceaccount:berth:berth-reconcile-shard"
HERE = "--namespace=berth"


@pytest.fixture(scope="module")
def kubeconfig(berth):
    """The administrator's; in the end the local overlay is back, and it alone."""
    path = berth.stack.environment["KUBECONFIG"]
    overlays.crds(path)
    local = manifests.render("local", {})
    yield path
    kept = {_name(one) for one in local}
    for kind, name in {_name(one) for one in manifests.render("prod", overlays.VALUES)} - kept:
        overlays.kubectl(path, "delete", kind, name, HERE)
    overlays.apply(path, local)


@pytest.mark.parametrize("overlay", ["dev", "prod"])
def test_a_customer_is_served_under_an_overlay_of_the_cloud(berth, kubeconfig, overlay, customer):
    wanted = manifests.render(overlay, overlays.VALUES)
    overlays.apply(kubeconfig, wanted)
    (quota,) = [one for one in wanted if one["kind"] == "ResourceQuota"]
    assert _get(kubeconfig, "resourcequota", "berth")["spec"] == quota["spec"]
    (subject,) = _get(kubeconfig, "rolebinding", "berth-reconcile-shard")["subjects"]
    assert (subject["kind"], subject["name"]) == ("User", overlays.USER)
    (subject,) = _get(kubeconfig, "rolebinding", "berth-reconcile-shard-local")["subjects"]
    assert (subject["kind"], subject["name"]) == ("ServiceAccount", "berth-reconcile-shard")

    shard = berth.account(customer)["home_shard"]
    begun = len(_written(berth, shard))
    overlays.kubectl(
        kubeconfig, "patch", "pdb", shard, HERE, "--patch", '{"spec": {"maxUnavailable": 2}}'
    )
    berth.fleet.upload(e2e.HALF_PLUS_TWO, f"{customer}/own/1")
    berth.serves(f"{customer}.starter", 1)
    berth.serves(f"{customer}.own", 1, e2e.TWO)
    until("the account mends the budget", lambda: _written(berth, shard)[begun:])
    assert _get(kubeconfig, "pdb", shard)["spec"]["maxUnavailable"] == 1


def _written(berth, name):
    """What the functions' account has written to a disruption budget, as the API server saw it."""
    lines = Path(berth.stack.environment["BERTH_AUDIT_LOG"]).read_text().splitlines()
    found = [json.loads(line) for line in lines if ACCOUNT in line and name in line]
    return [
        one
        for one in found
        if one["user"]["username"] == ACCOUNT
        and one["objectRef"].get("name") == name
        and one["objectRef"]["resource"] == "poddisruptionbudgets"
        and one["responseStatus"]["code"] == 200
    ]


def _get(kubeconfig, kind, name):
    return json.loads(overlays.kubectl(kubeconfig, "get", kind, name, HERE, "-o", "json").stdout)


def _name(one):
    return one["kind"], one["metadata"]["name"]
