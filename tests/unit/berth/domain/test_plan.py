"""Plans: which actions one look at a shard asks for, and in which order."""

from dataclasses import dataclass, replace

import pytest
import yaml

from berth.domain import plan, workload
from berth.domain.observation import VersionStatus, Workload
from berth.domain.shard_status import Quarantine, Told
from berth.domain.workload import Buckets
from infra.functions import ROOT
from tests.support.shards import AVAILABLE, NAME, ago, config, look, pod, projection, record, seen
from tests.support.world_parts import MIB

MANIFESTS = [yaml.safe_load(p.read_text()) for p in sorted((ROOT / "k8s/shard").glob("*.yaml"))]
BROKEN = VersionStatus("END", 3, "corrupt")


def settled(observed):
    """The same shard with its status document as a pass would leave it."""
    for action in look(observed).actions:
        if isinstance(action, plan.WriteStatus):
            return replace(observed, status=action.status)
    return observed


def takeover(**more):
    given = {
        "projections": {NAME: projection(1, 2)},
        "boot": config(digits=(1,)),
        "live": config(digits=(1, 2)),
        "records": {NAME: record(1)},
        "report": {NAME: {1: AVAILABLE, 2: AVAILABLE}},
    }
    return seen(**{**given, **more})


@dataclass(frozen=True)
class Case:
    seen: object
    actions: tuple[str, ...]
    open: tuple[str, ...] = ()


IDLE = {"boot": config(digits=(2,)), "live": config(digits=(2,)), "records": {NAME: record(2)}}
OLDER = (pod(1), pod(2, started=4000))
CASES = {
    "already reconciled": Case(settled(takeover(**IDLE)), ()),
    "an empty shard": Case(settled(seen()), ()),
    "a version to load": Case(
        takeover(live=config(digits=(1,)), report={NAME: {1: AVAILABLE}}),
        ("WriteLive", "Push"),
        (NAME,),
    ),
    "available everywhere": Case(takeover(), ("WriteBoot",), (NAME,)),
    "bootable": Case(
        takeover(boot=config(digits=(1, 2))),
        ("Announce", "Announce", "WriteRoutes", "WriteStatus"),
    ),
    "announced": Case(settled(takeover(**IDLE | {"boot": config(digits=(1, 2))})), ("WriteBoot",)),
    "a replica was not told": Case(
        settled(takeover(**IDLE, untold=("p2",), pods=OLDER)), ("Push",)
    ),
    "a replica booted with it": Case(
        settled(
            takeover(
                **IDLE,
                untold=("p2",),
                pods=(pod(1), pod(2, started=3599)),
                report={NAME: {2: AVAILABLE}},
            )
        ),
        (),
    ),
    "an old version is on its way out": Case(settled(takeover(**IDLE, told_ago=119)), ()),
    "a late push took the replicas back": Case(
        settled(takeover(**IDLE, told_ago=120)), ("Push", "Push")
    ),
    "a late push took a version away": Case(
        settled(
            takeover(
                **IDLE,
                told_ago=120,
                report={NAME: {1: VersionStatus("END"), 2: VersionStatus("END")}},
            )
        ),
        ("Push", "Push"),
        (),
    ),
    "a poisoned version": Case(
        takeover(report={NAME: {1: AVAILABLE, 2: BROKEN}}),
        ("Announce", "WriteStatus", "WriteLive", "Push", "Push"),
    ),
    "a quarantine that ends is remembered": Case(
        takeover(
            live=config(digits=(1,)),
            records={
                NAME: record(1, quarantined={2: Quarantine(reason="h", transient=True, attempts=1)})
            },
            report={NAME: {1: AVAILABLE}},
        ),
        ("WriteStatus", "WriteLive", "Push"),
        (NAME,),
    ),
    "no replica": Case(settled(takeover(**IDLE, pods=())), ()),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_actions_of_one_look(case):
    made = look(case.seen)
    assert tuple(type(action).__name__ for action in made.actions) == case.actions
    assert made.open == case.open


def test_a_new_shard_has_its_configs_before_its_workload():
    empty = replace(seen(pods=()), boot=None, live=None)
    assert [type(a).__name__ for a in look(empty, MANIFESTS).actions] == [
        "WriteBoot",
        "WriteLive",
    ]


def test_a_drifted_object_is_applied_with_its_token():
    shard = seen().shard
    manifests = workload.render(MANIFESTS, shard, Buckets("berth", "models", "control"))
    live = {
        m["kind"]: {**m, "metadata": m["metadata"] | {"resourceVersion": "7"}} for m in manifests
    }
    live["Service"] = None
    live["HorizontalPodAutoscaler"] = {
        **live["HorizontalPodAutoscaler"],
        "spec": {**live["HorizontalPodAutoscaler"]["spec"], "maxReplicas": 99},
    }
    observed = settled(seen(workload=Workload(live, (pod(1), pod(2)))))
    actions = look(observed, manifests).actions
    assert [a.kind for a in actions] == ["HorizontalPodAutoscaler", "Service"]
    assert actions[0].manifest["metadata"]["resourceVersion"] == "7"
    assert "resourceVersion" not in actions[1].manifest["metadata"]


def test_other_bytes_wait_until_every_replica_took_the_last_ones():
    observed = takeover(
        live=config(digits=(1,)), untold=("p2",), boot=config(), report={NAME: {1: AVAILABLE}}
    )
    pushes = [a for a in look(observed).actions if isinstance(a, plan.Push)]
    assert [push.text for push in pushes] == [observed.live.text]
    assert not [a for a in look(observed).actions if isinstance(a, plan.WriteLive)]


def tried(*pods, live_age=132, in_vain=("p2",), **more):
    live = config(live_age, 1, digits=(2,))
    observed = takeover(
        **IDLE | {"live": live, "boot": config()}, untold=in_vain, pods=pods, **more
    )
    vain = {p.key: Told(digest="", at=ago(1).isoformat()) for p in pods if p.name in in_vain}
    return replace(observed, told={**observed.told, **vain})


def replaced(observed):
    return [a.pod.name for a in look(observed).actions if isinstance(a, plan.ReplacePod)]


def test_past_its_patience_a_replica_is_replaced():
    assert replaced(tried(pod(1), pod(2))) == ["p2"]
    assert replaced(tried(pod(1), pod(2), live_age=129)) == []
    assert replaced(tried(pod(1), pod(2, started=100))) == []


def test_a_replica_that_was_never_tried_is_told_not_replaced():
    observed = tried(pod(1), pod(2), in_vain=("p1", "p2"))
    assert replaced(replace(observed, told={})) == []


def test_replicas_are_replaced_one_at_a_time_and_only_while_enough_serve():
    both = tried(pod(1), pod(2), in_vain=("p1", "p2"))
    assert replaced(both) == ["p1"]
    one_left = tried(pod(1, ready=False), pod(2))
    assert replaced(one_left) == []


def test_what_does_not_fit_waits_in_the_order_of_names():
    names = ("acme.a", "acme.b", "acme.c")
    big = {name: projection(1, resident=600 * MIB) for name in names}
    made = look(seen(projections=big))
    (write,) = [a for a in made.actions if isinstance(a, plan.WriteLive)]
    assert '"acme.b"' in write.text
    assert '"acme.c"' not in write.text


def test_what_serves_is_counted_before_what_would_come():
    live = config(c=(1,))
    big = projection(1, resident=900 * MIB)
    observed = seen(
        projections={
            n: big.model_copy(update={"base_path": f"acme/{n[-1]}"}) for n in ("acme.a", "acme.c")
        },
        boot=live,
        live=live,
        records={"acme.c": record(1)},
        report={"acme.c": {1: AVAILABLE}},
    )
    (write,) = [a for a in look(observed).actions if isinstance(a, plan.WriteStatus)]
    records = write.status.models
    assert (records["acme.a"].state, records["acme.c"].state) == ("PENDING", "SERVING")
    assert "shard full" in records["acme.a"].reason
    assert write.status.summary("shard-0").unplaced == ("acme.a",)


def test_a_takeover_must_fit_beside_what_it_replaces():
    def size(mib):
        return takeover(
            projections={NAME: projection(1, 2, resident=mib * MIB)},
            live=config(digits=(1,)),
            report={NAME: {1: AVAILABLE}},
        )

    assert [a for a in look(size(800)).actions if isinstance(a, plan.WriteLive)]
    assert not [a for a in look(size(900)).actions if isinstance(a, plan.WriteLive)]


def test_the_count_of_models_is_a_bound_too():
    names = [f"acme.m{n}" for n in range(3)]
    base = seen()
    shard = base.shard.model_copy(update={"max_models": 2})
    made = look(seen(projections=dict.fromkeys(names, projection(1)), shard=shard))
    (write,) = [a for a in made.actions if isinstance(a, plan.WriteLive)]
    assert write.text.count("config {") == 2


def test_the_same_observation_gives_the_same_plan():
    assert look(takeover()) == look(takeover())
