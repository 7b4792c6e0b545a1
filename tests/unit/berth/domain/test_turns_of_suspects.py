"""Suspects have their turns one after another, each until its first requests are over."""

import pytest

from berth.domain import rollout, turns
from berth.domain.shard_status import Quarantine, VersionRecord
from tests.support.shards import AVAILABLE, MOUNT, ago, config, pod, projection, record, seen

HELD = {1: Quarantine(reason="", transient=True, attempts=1, active=False, alone=True)}
FIRST, SECOND = "acme.a", "acme.b"


def begun(live, *, announced=(), since=30, pods=None, report=None):
    """Whether the second suspect may be told, with the first one as far as said."""
    served = {n: VersionRecord(state="SERVING", since=ago(since).isoformat()) for n in announced}
    made = seen(
        projections={FIRST: projection(1), SECOND: projection(1)},
        live=live,
        boot=config(a=announced) if announced else config(),
        records={
            FIRST: record(*announced, quarantined=HELD, versions=served),
            SECOND: record(state="PENDING", quarantined=HELD),
        },
        report={FIRST: {1: AVAILABLE}} if report is None else report,
        pods=pods,
    )
    steps = {name: rollout.step(name, made, mount=MOUNT) for name in (FIRST, SECOND)}
    return turns.taken(steps, made)[SECOND].live is not None


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        ({"live": config(), "report": {}}, False),  # it is the other's turn
        ({"live": config(a=(1,)), "report": {}}, False),  # it loads
        ({"live": config(a=(1,))}, False),  # loaded everywhere, and announced at the next look
        ({"live": config(a=(1,)), "announced": (1,)}, False),  # announced a moment ago
        ({"live": config(a=(1,)), "announced": (1,), "since": 90}, True),
    ],
)
def test_a_suspect_waits_until_the_one_before_it_has_had_its_requests(first, expected):
    assert begun(**first) == expected


def test_one_that_is_loaded_and_waits_for_a_starting_replica_is_still_on_trial():
    pods = (pod(1), pod(2), pod(3, started=3605, ready=False))
    assert not begun(config(a=(1,)), pods=pods)
