"""What an idle tick asks of Cloud Storage: two listings, however many models and shards there are."""

import pytest

from berth.adapters.memory import MemoryClock
from berth.adapters.memory_objects import MemoryBuckets
from berth.app import control, rooms
from berth.domain import documents, rooming
from berth.domain.documents import Shard
from berth.domain.errors import Damaged
from tests.simulation import still, tick

MIB = 1024**2


def _ticked(models, shards):
    clock = MemoryClock()
    buckets = MemoryBuckets(clock)
    stores = {name: buckets.store(name) for name in tick.BUCKETS}
    still.fill(stores["control"], models=models, shards=shards, now=clock.now())
    before = [store.mutations for store in stores.values()]
    found = tick.tick(stores, clock, shards=shards)
    assert [store.mutations for store in stores.values()] == before
    return found


@pytest.mark.parametrize(("models", "shards"), [(4, 2), (40, 2), (40, 20)])
def test_an_idle_tick_lists_twice_and_reads_the_policy(models, shards):
    found = _ticked(models, shards)
    assert (found["outcome"], found["requested"]) == ("converged", shards)
    assert found["requests"] == {"list": 2, "get": 1, "pages": 2}


def test_its_pages_grow_with_the_objects_alone():
    # 1,200 documents; as many projections, and a shape and a status for each shard.
    assert _ticked(1200, 3)["requests"] == {"list": 2, "get": 1, "pages": 4}


def _store():
    return MemoryBuckets(MemoryClock()).store("control")


def _shape(**fields):
    return Shard(shard="shard-0", memory_bytes=MIB, **fields)


def test_a_shape_comes_with_the_listing():
    store = _store()
    control.write(store, documents.shard_name("shard-0"), _shape(), if_generation=0)
    assert rooms.look(store).shards == {"shard-0": _shape()}
    assert store.calls == {"put": 1, "list": 1}


@pytest.mark.parametrize("shape", [_shape(), _shape(restarted_for={"2026": "memory " * 1000})])
def test_a_shape_without_metadata_is_read(shape):
    store = _store()
    metadata = rooming.note(shape) if shape.restarted_for else None
    store.put("shards/shard-0/shard.json", shape.encode(), if_generation=0, metadata=metadata)
    assert rooms.look(store).shards == {"shard-0": shape}
    assert store.calls["get"] == 1


@pytest.mark.parametrize("rest", ["status.json", "models/acme.digits", "lease.json"])
def test_a_listed_folder_without_a_shape_is_an_error(rest):
    store = _store()
    metadata = {"summary": still.status(_shape(), 0, "").summary("shard-0").encode().decode()}
    store.put(f"shards/shard-0/{rest}", b"", if_generation=0, metadata=metadata)
    with pytest.raises(Damaged, match="never removal"):
        rooms.look(store)
