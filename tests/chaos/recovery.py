"""After the kills: ticks, only more of them than usual, until every promise holds or time is up."""

import time

from berth.app import reconcile_fleet
from infra.demo.fleet import NotAsItShouldBe
from tests.chaos.outside import AWAY

# A dead holder's lease, and as much again for what waited for it.
SETTLE_SECONDS = 2 * reconcile_fleet.LEASE_SECONDS
TICK_SECONDS = 4.0


def until_kept(look, people, *, sweep):
    """Return what `look` still finds in the end, and after how many seconds it ended.

    A look that fails is not a look: a document may be replaced between its listing and its reading.
    """
    began, left = time.monotonic(), ["nothing was looked at"]
    while left and time.monotonic() - began < SETTLE_SECONDS:
        ticked = time.monotonic()
        try:
            people.publish("BERTH_TICK_TOPIC", {"sweep": sweep})
            while left and time.monotonic() - ticked < TICK_SECONDS:
                left = look()
                time.sleep(0.2 if left else 0)
        except (*AWAY, NotAsItShouldBe) as error:
            left = [repr(error)]
            time.sleep(0.2)
    return left, time.monotonic() - began
