"""The rollout of one model: one table of what is seen and what is wanted next."""

from dataclasses import dataclass, replace

import pytest

from berth.domain import rollout
from berth.domain.observation import Observation, VersionStatus
from berth.domain.shard_status import Quarantine
from tests.support.shards import AVAILABLE, MOUNT, NAME, config, pod, projection, record, seen

LOADING = VersionStatus("LOADING")
BROKEN = VersionStatus("END", 3, "corrupt")
HICCUP = VersionStatus("END", 14, "storage hiccup")
UNLOADED = VersionStatus("END", 0, "")
ACTIVE = Quarantine(reason="corrupt", transient=False, attempts=1)


def says(**versions):
    return {NAME: {int(k[1:]): v for k, v in versions.items()}}


@dataclass(frozen=True)
class Case:
    seen: Observation
    live: tuple[int, ...] | None
    boot: tuple[int, ...] | None
    announced: tuple[int, ...]
    state: str
    reason: str = ""


def takeover(**more):
    """Version 1 serves, version 2 was admitted."""
    given = {
        "projections": {NAME: projection(1, 2)},
        "boot": config(digits=(1,)),
        "live": config(digits=(1, 2)),
        "records": {NAME: record(1)},
        "report": says(v1=AVAILABLE, v2=AVAILABLE),
    }
    return seen(**{**given, **more})


def first(**more):
    given = {"projections": {NAME: projection(1)}, "live": config(digits=(1,))}
    return seen(**{**given, **more})


SILENT = replace(takeover(), reports=dict(list(takeover().reports.items())[:1]))
LEFT = projection(1, retired=True)
SILENCED = {NAME: record()}


def left(**more):
    return takeover(projections={NAME: LEFT}, **more)


OUT = left(boot=config(), live=config())
CASES = {
    "first version, nothing yet": Case(
        seen(projections={NAME: projection(1)}), (1,), None, (), "LOADING"
    ),
    "first version, loading": Case(
        first(report=says(v1=LOADING)), (1,), None, (), "LOADING", "0 of 2"
    ),
    "first version, available": Case(first(report=says(v1=AVAILABLE)), (1,), (1,), (), "LOADING"),
    "first version, bootable": Case(
        first(report=says(v1=AVAILABLE), boot=config(digits=(1,))), (1,), (1,), (1,), "SERVING"
    ),
    "already reconciled": Case(
        first(report=says(v1=AVAILABLE), boot=config(digits=(1,)), records={NAME: record(1)}),
        (1,),
        (1,),
        (1,),
        "SERVING",
    ),
    "second version, to be loaded": Case(
        takeover(live=config(digits=(1,)), report=says(v1=AVAILABLE)), (1, 2), (1,), (1,), "LOADING"
    ),
    "second version, available": Case(takeover(), (1, 2), (1, 2), (1,), "LOADING"),
    "second version, bootable": Case(
        takeover(boot=config(digits=(1, 2))), (1, 2), (1, 2), (2,), "SERVING"
    ),
    "second version, announced": Case(
        takeover(boot=config(digits=(1, 2)), records={NAME: record(2)}, live=config(digits=(2,))),
        (2,),
        (2,),
        (2,),
        "SERVING",
    ),
    "pin back": Case(
        takeover(
            projections={NAME: projection(1, 2, pin=1)},
            records={NAME: record(2)},
            boot=config(digits=(2,)),
            live=config(digits=(2,)),
            report=says(v2=AVAILABLE),
        ),
        (1, 2),
        (2,),
        (2,),
        "LOADING",
    ),
    "keep two": Case(
        takeover(projections={NAME: projection(1, 2, keep=2)}, boot=config(digits=(1, 2))),
        (1, 2),
        (1, 2),
        (1, 2),
        "SERVING",
    ),
    "no replica": Case(takeover(pods=()), (1, 2), (1,), (1,), "LOADING"),
    "one of two replicas is enough of them": Case(
        takeover(pods=(pod(1),), boot=config(digits=(1, 2))), (1, 2), (1, 2), (2,), "SERVING"
    ),
    "a silent replica": Case(SILENT, (1, 2), (1,), (1,), "LOADING", "1 of 2"),
    "a start from the older boot config": Case(
        takeover(boot=config(10, 1, digits=(1, 2)), pods=(pod(1), pod(2, ready=False, started=20))),
        (1, 2),
        (1, 2),
        (1,),
        "LOADING",
    ),
    "a start from the older boot config, patience over": Case(
        takeover(
            boot=config(181, 1, digits=(1, 2)), pods=(pod(1), pod(2, ready=False, started=190))
        ),
        (1, 2),
        (1, 2),
        (2,),
        "SERVING",
    ),
    "a start from the new boot config": Case(
        takeover(boot=config(10, 1, digits=(1, 2)), pods=(pod(1), pod(2, ready=False, started=5))),
        (1, 2),
        (1, 2),
        (2,),
        "SERVING",
    ),
    "ended in error": Case(
        takeover(report=says(v1=AVAILABLE, v2=BROKEN)), (1,), (1,), (1,), "SERVING", "corrupt"
    ),
    "ended in error before the grace is over": Case(
        takeover(report=says(v1=AVAILABLE, v2=BROKEN), told_ago=2), (1, 2), (1,), (1,), "LOADING"
    ),
    "ended in error on a replica that was not told": Case(
        takeover(report=says(v1=AVAILABLE, v2=BROKEN), untold=("p1", "p2")),
        (1, 2),
        (1,),
        (1,),
        "LOADING",
    ),
    "unloaded is no error": Case(
        takeover(report=says(v1=AVAILABLE, v2=UNLOADED)), (1, 2), (1,), (1,), "LOADING"
    ),
    "a fallback that no config names yet": Case(
        takeover(
            live=config(digits=(2,)),
            report=says(v1=AVAILABLE, v2=BROKEN),
            records={},
            boot=config(),
        ),
        (1,),
        None,
        (),
        "LOADING",
    ),
    "available on a replica that was not told to keep it": Case(
        takeover(boot=config(digits=(1, 2)), untold=("p2",), pods=(pod(1), pod(2, started=4000))),
        (1, 2),
        (1, 2),
        (1,),
        "LOADING",
    ),
    "the only version ended in error": Case(
        first(report=says(v1=BROKEN)), None, None, (), "QUARANTINED", "corrupt"
    ),
    "the pinned version is quarantined": Case(
        takeover(
            projections={NAME: projection(1, 2, pin=2)},
            records={NAME: record(1, quarantined={2: ACTIVE})},
            live=config(digits=(1,)),
        ),
        (1,),
        (1,),
        (1,),
        "SERVING",
        "corrupt",
    ),
    "a hiccup, let go by all": Case(
        takeover(
            live=config(digits=(1,)),
            records={
                NAME: record(1, quarantined={2: Quarantine(reason="h", transient=True, attempts=1)})
            },
            report=says(v1=AVAILABLE, v2=HICCUP),
        ),
        (1, 2),
        (1,),
        (1,),
        "LOADING",
    ),
    "a hiccup, not let go by all": Case(
        takeover(
            live=config(digits=(1,)),
            records={
                NAME: record(1, quarantined={2: Quarantine(reason="h", transient=True, attempts=1)})
            },
            report=says(v1=AVAILABLE, v2=HICCUP),
            untold=("p1",),
            pods=(pod(1, started=4000), pod(2)),
        ),
        (1,),
        (1,),
        (1,),
        "SERVING",
    ),
    "a third hiccup": Case(
        takeover(
            live=config(digits=(1,)),
            records={
                NAME: record(1, quarantined={2: Quarantine(reason="h", transient=True, attempts=3)})
            },
            report=says(v1=AVAILABLE),
        ),
        (1,),
        (1,),
        (1,),
        "SERVING",
        "h",
    ),
    "without a projection": Case(
        seen(boot=config(digits=(1,)), live=config(digits=(1,)), records={NAME: record(1)}),
        (1,),
        (1,),
        (1,),
        "SERVING",
        "carried forward",
    ),
    "without a projection or a record": Case(
        seen(boot=config(digits=(1,)), live=config(digits=(1,))),
        (1,),
        (1,),
        (1,),
        "PENDING",
        "carried",
    ),
    "the status document was lost": Case(
        takeover(records={}, live=config(digits=(1,)), report=says(v1=AVAILABLE)),
        (1, 2),
        (1,),
        (1,),
        "LOADING",
    ),
    "retired, announced": Case(left(), (1, 2), (1,), (), "LOADING", "leaving"),
    "retired, in both": Case(left(records=SILENCED), (1, 2), None, (), "LOADING", "leaving"),
    "retired, out of the boot config": Case(
        left(records=SILENCED, boot=config()), None, None, (), "LOADING", "leaving"
    ),
    "retired, out of both": Case(OUT, None, None, (), "LOADING"),
    "retired, unloaded": Case(
        left(boot=config(), live=config(), report=says(v1=UNLOADED)), None, None, (), "RETIRED"
    ),
    "retired, no replica to ask": Case(
        takeover(projections={NAME: LEFT}, boot=config(), live=config(), pods=()),
        None,
        None,
        (),
        "LOADING",
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_next_step(case):
    step = rollout.step(NAME, case.seen, mount=MOUNT)
    assert (step.live.versions if step.live else None) == case.live
    assert (step.boot.versions if step.boot else None) == case.boot
    assert step.record.announced == case.announced
    assert step.record.state == case.state
    assert case.reason in step.record.reason


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_no_step_takes_an_announced_version_out_of_the_live_config(case):
    step = rollout.step(NAME, case.seen, mount=MOUNT)
    if not any(p.retired for p in case.seen.projections.values()):
        named = set(step.live.versions) if step.live else set()
        assert set(step.record.announced) <= named


def test_without_room_what_serves_stays_and_the_rest_waits():
    step = rollout.step(NAME, takeover(live=config(digits=(1,))), mount=MOUNT, fits=False)
    assert (step.live.versions, step.boot.versions, step.record.announced) == ((1,), (1,), (1,))
    assert step.record.state == "SERVING"
    assert "shard full" in step.record.reason
    new = rollout.step(NAME, seen(projections={NAME: projection(1)}), mount=MOUNT, fits=False)
    assert (new.live, new.boot, new.record.state) == (None, None, "PENDING")
