"""A shard's workload goes when the document says removed and nothing of it is needed, never before."""

import pytest

from berth.domain import plan, removal
from berth.domain.documents import Shard
from berth.domain.observation import Workload
from berth.domain.plan import DeleteWorkload, Frame, WriteStatus
from berth.domain.routing import ModelRoute, ShardRoutes, StoredRoutes
from berth.domain.shard_status import ShardStatus
from tests.support.shards import NOW, config, pod, projection, record, seen

GONE = Shard(shard="shard-0", memory_bytes=2**31, state="removed")
EMPTY = ShardRoutes(shard="shard-0")


def routes(known):
    return StoredRoutes(known, generation=1, updated=NOW)


def objects(*kinds, **metadata):
    live = {kind: {"metadata": {"uid": f"uid-{kind}", **metadata}} for kind in kinds}
    return {**dict.fromkeys(removal.ORDER), **live}


def look(kinds=removal.ORDER, pods=(), **changes):
    fields = {"shard": GONE, "routes": routes(EMPTY), **changes}
    workload = Workload(objects=objects(*kinds), pods=pods)
    return seen(**{"pods": pods, "workload": workload, **fields})


@pytest.mark.parametrize(
    "needed",
    [
        {"shard": Shard(shard="shard-0", memory_bytes=2**31)},
        {"shard": Shard(shard="shard-0", memory_bytes=2**31, state="draining")},
        {"projections": {"acme.digits": projection(1)}},
        {"projections": {"acme.digits": projection(1, retired=True)}},
        {"boot": config(digits=(1,))},
        {"live": config(digits=(1,))},
        {"records": {"acme.digits": record(1)}},
        {"routes": routes(ShardRoutes(shard="shard-0", models={"acme.digits": ModelRoute()}))},
        {"routes": routes(None)},
    ],
)
def test_what_is_needed_of_a_shard_stays(needed):
    made = plan.make(look(**needed), Frame("/models", ()))
    assert not [action for action in made.actions if isinstance(action, DeleteWorkload)]
    assert not removal.due(look(**needed))


def test_everything_of_a_removed_shard_goes_its_pods_last():
    made = plan.make(look(), Frame("/models", ()))
    assert made.actions == tuple(DeleteWorkload(kind, f"uid-{kind}") for kind in removal.ORDER)
    assert made.actions[-1].kind == "Deployment"
    assert not made.open


def test_what_is_on_its_way_out_is_not_deleted_twice():
    workload = Workload(objects=objects("Service", deletionTimestamp="now"), pods=())
    assert removal.actions(look(workload=workload)) == ()


@pytest.mark.parametrize("terminating", [True, False])
def test_that_it_is_gone_is_noted_when_the_last_pod_is(terminating):
    assert removal.actions(look(kinds=(), pods=(pod(1, terminating=terminating),))) == ()
    noted = ShardStatus(removed=True)
    assert removal.actions(look(kinds=())) == (WriteStatus(noted, 3),)
    assert removal.actions(look(kinds=(), status=noted)) == ()


def test_a_shard_that_was_collected_is_left_alone():
    assert removal.actions(look(kinds=(), status_generation=0)) != ()
    bare = look(kinds=(), status_generation=0)
    object.__setattr__(bare, "boot", None)
    assert removal.actions(bare) == ()
