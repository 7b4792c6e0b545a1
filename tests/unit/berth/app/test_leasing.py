"""The lease's writes keep to what Cloud Storage takes: one a second to one object."""

from datetime import UTC, datetime, timedelta

from berth.adapters.memory import MemoryClock
from berth.adapters.memory_objects import MemoryBuckets
from berth.app import leasing

NAME = "shards/shard-0/lease.json"


def test_clearing_wanted_waits_a_second_after_the_holders_last_write():
    clock = MemoryClock(datetime(2026, 1, 1, tzinfo=UTC))
    store = MemoryBuckets(clock).store("control")
    held = leasing.take(store, clock, NAME, holder="m1", seconds=40)
    began = clock.now()
    for look in (1, 2, 3):
        assert leasing.ask(store, clock, NAME, holder=f"other-{look}") == "want"
        held.take_up()
        assert clock.now() - began >= timedelta(seconds=look)


def test_a_look_that_nobody_asked_for_does_not_wait():
    clock = MemoryClock(datetime(2026, 1, 1, tzinfo=UTC))
    store = MemoryBuckets(clock).store("control")
    held = leasing.take(store, clock, NAME, holder="m1", seconds=40)
    began = clock.now()
    held.take_up()
    assert clock.now() == began
    assert held.leave()
