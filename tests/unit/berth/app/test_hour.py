"""The hourly bound counts probes: the same bytes that come again are judged, and counted, again."""

from berth.domain.ledger import Ledger
from berth.domain.quotas import PLANS
from tests.support.world import FILES
from tests.unit.berth.app import worlds


def test_the_same_refused_bytes_uploaded_again_count_again():
    world = worlds.signed_up()
    bad = {**FILES, "saved_model.pb": b"bad graph"}
    for _ in range(3):
        world.upload("acme/digits/1", files=bad)
        world.run()
    known = Ledger.decode(world.control.get("ledgers/acme.json").data)
    assert len(known.admissions) == len(world.probe.requests) == 3
    assert PLANS["free"].admissions_per_hour > 3
