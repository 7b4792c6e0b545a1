"""The indexed store lists what the plain twin lists."""

import random

from berth.adapters.memory import MemoryClock
from berth.adapters.memory_objects import MemoryBuckets
from tests.simulation import stores
from tests.simulation.stores import IndexedBuckets


def test_it_lists_what_the_twin_lists(monkeypatch):
    monkeypatch.setattr(stores, "CHUNK", 4)
    clock, dice = MemoryClock(), random.Random(3)
    plain, indexed = MemoryBuckets(clock).store("b"), IndexedBuckets(clock).store("b")
    for _ in range(400):
        name = "/".join(dice.choice("abc") for _ in range(dice.randint(1, 4)))
        if dice.random() < 0.4:
            plain.delete(name)
            indexed.delete(name)
        else:
            plain.put(name, b"", if_generation=None)
            indexed.put(name, b"", if_generation=None)
        prefix, start = dice.choice(["", "a", "a/", "b/c", "c/"]), dice.choice(["", "a/b", "c"])
        limit = dice.choice([None, 1, 3])
        for store in (plain, indexed):
            store.found = [s.name for s in store.list(prefix, start=start, limit=limit)]
        assert indexed.found == plain.found
        for folder in ("", "a/", "b/"):
            assert indexed.folders(folder) == plain.folders(folder)


def test_it_knows_the_closest_and_the_most_writes_to_one_name():
    clock = MemoryClock()
    store, began = IndexedBuckets(clock).store("control"), clock.now()
    for seconds in (0, 4, 0.5, 20):
        clock.advance(seconds)
        store.put("shards/shard-0/lease.json", b"", if_generation=None)
    assert store.gaps == {"shards/*/lease.json": 0.5}
    assert store.busiest(began) == {"shards/*/lease.json": 3}
