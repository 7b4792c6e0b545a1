"""Which versions are to serve: the newest `keep` up to the pin and what is named, none quarantined."""

import pytest

from berth.domain.rollout import wanted_versions
from berth.domain.shard_status import Quarantine
from tests.support.shards import projection

ACTIVE = Quarantine(reason="corrupt", transient=False, attempts=1)


@pytest.mark.parametrize(
    ("given", "quarantined", "wanted"),
    [
        (projection(), (), ()),
        (projection(1, 2, 3), (), (3,)),
        (projection(1, 2, 3, keep=2), (), (2, 3)),
        (projection(1, 2, 3, keep=8), (), (1, 2, 3)),
        (projection(1, 2, 3, pin=2), (), (2,)),
        (projection(1, 2, 3, pin=2, keep=2), (), (1, 2)),
        (projection(1, 2, 3), (3,), (2,)),
        (projection(1, 2, 3), (1, 2, 3), ()),
        (projection(1, 2, 3, pin=9), (), (3,)),
        (projection(1, 2, 3, pin=2), (2,), (1,)),
        (projection(2, 3, pin=2), (2,), (3,)),
        (projection(1, 2, 3, canary={3: 10}), (), (2, 3)),
        (projection(1, 2, 3, canary={1: 10}), (), (1, 3)),
        (projection(1, 2, 3, canary={3: 0}, keep=2), (), (1, 2, 3)),
        (projection(1, 2, 3, canary={3: 10}), (3,), (2,)),
        (projection(2, 3, canary={3: 10}), (2,), (3,)),
        (projection(1, 2, 3, canary={3: 10}, pin=1), (), (1, 3)),
        (projection(1, 2, 3, labels={"old": 1, "new": 3}), (), (1, 3)),
        (projection(1, 2, 3, labels={"old": 1}), (1,), (3,)),
        (projection(1, 2, 3, 4, labels={"old": 1, "trial": 4}, canary={4: 5}), (), (1, 3, 4)),
    ],
)
def test_wanted_versions(given, quarantined, wanted):
    assert wanted_versions(given, dict.fromkeys(quarantined, ACTIVE)) == wanted
