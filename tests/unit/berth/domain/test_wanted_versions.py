"""Which versions are to serve: the newest `keep` up to the pin, none quarantined."""

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
    ],
)
def test_wanted_versions(given, quarantined, wanted):
    assert wanted_versions(given, dict.fromkeys(quarantined, ACTIVE)) == wanted
