"""Leases: who may act, who only notes a wish, and the one message that is raised."""

from datetime import UTC, datetime, timedelta

import pytest

from berth.domain import lease
from berth.domain.lease import Lease

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HELD = lease.taken(holder="m1", now=NOW, seconds=40)


@pytest.mark.parametrize(
    ("known", "holder", "seconds", "answer"),
    [
        (None, "m1", 0, "acquired"),
        (Lease(), "m1", 0, "acquired"),
        (HELD, "m1", 1, "redelivered"),
        (HELD, "m2", 1, "want"),
        (HELD, "m2", 39.9, "want"),
        (lease.wanted(HELD), "m2", 1, "already-wanted"),
        (lease.wanted(HELD), "m1", 1, "redelivered"),
        (HELD, "m1", 40, "acquired"),
        (HELD, "m2", 40, "acquired"),
        (lease.wanted(HELD), "m2", 41, "acquired"),
        (lease.released(HELD), "m1", 1, "acquired"),
        (lease.released(lease.wanted(HELD)), "m2", 1, "acquired"),
    ],
)
def test_what_a_request_does(known, holder, seconds, answer):
    assert lease.ask(known, holder=holder, now=NOW + timedelta(seconds=seconds)) == answer


def test_a_wish_is_noted_taken_up_and_forgotten_at_the_end():
    noted = lease.wanted(HELD)
    assert (noted.holder, noted.wanted) == ("m1", True)
    assert lease.unwanted(noted) == HELD
    assert not lease.released(noted).wanted
    assert lease.released(noted).free(NOW)
