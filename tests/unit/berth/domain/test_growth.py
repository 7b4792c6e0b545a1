"""Growth: at least, at most, before it is full, at once for what waits, and never a number twice."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from berth.domain import growth
from berth.domain.documents import Footprint, Policy, Shard
from berth.domain.fleet import FirstShards
from berth.domain.placement import BASE_BYTES, Room
from tests.support.moving import row

GIB = 1024**3
FIRST = FirstShards(2, replicas_min=2, replicas_max=4, memory_bytes=2 * GIB, max_models=100)


def shard(number, **more):
    return Shard(shard=f"shard-{number}", memory_bytes=2 * GIB, max_models=100, **more)


def room(number, models=0, used=BASE_BYTES, **more):
    return Room(f"shard-{number}", models, 100, used, 2 * GIB, **more)


def footprint(size):
    return Footprint(resident_bytes=size, peak_bytes=size, load_seconds=1)


def grown(rooms, waiting=None, known=None, first=FIRST, **common):
    shards = known or {r.shard: shard(r.shard.removeprefix("shard-")) for r in rooms}
    pooled = common.pop("pools", {})
    rows = [(row(name, pool=in_pool), needs) for name, (needs, in_pool) in _each(waiting)]
    pools = growth.pools(shards, rooms, rows, Policy(common=common, pools=pooled))
    return growth.make(pools, shards, first)


def _each(waiting):
    """What waits as {servable: footprint}, or (footprint, pool)."""
    return [(n, w if isinstance(w, tuple) else (w, "")) for n, w in (waiting or {}).items()]


def names(made):
    return [creation.shard.shard for creation in made.create]


def test_a_new_fleet_has_its_first_shards_and_their_shape():
    made = grown([])
    assert names(made) == ["shard-0", "shard-1"]
    assert made.create[0].shard == shard(0, replicas_min=2, replicas_max=4)
    assert made.create[0].reason == "the common pool has at least 2 shards"
    assert grown([room(0), room(1)]) == growth.Growth()


def test_an_operator_says_how_many_and_of_what_shape():
    made = grown([room(0), room(1)], min_shards=4, memory_bytes=GIB, max_models=7, replicas_min=6)
    assert names(made) == ["shard-2", "shard-3"]
    shape = made.create[0].shard
    assert (shape.memory_bytes, shape.max_models) == (GIB, 7)
    assert (shape.replicas_min, shape.replicas_max) == (6, 6)


def test_a_number_is_never_given_twice():
    rooms = [room(0), room(7)]
    known = {"shard-0": shard(0), "shard-7": shard(7), "shard-9": shard(9, state="removed")}
    assert names(grown(rooms, known=known, min_shards=4)) == ["shard-10", "shard-11"]
    rooms.append(Room("mine", 0, 100, BASE_BYTES, 2 * GIB))
    known["mine"] = shard(7)
    assert names(grown(rooms, known=known, min_shards=4)) == ["shard-10"]


@pytest.mark.parametrize(
    ("models", "created"), [([0, 0], 0), ([100, 50], 0), ([100, 51], 1), ([100, 100], 1)]
)
def test_half_a_shard_is_always_free_by_count(models, created):
    made = grown([room(n, models=count) for n, count in enumerate(models)])
    assert len(made.create) == created


@pytest.mark.parametrize(("used", "created"), [(0.4, 0), (0.9, 1)])
def test_half_a_shard_is_always_free_by_bytes(used, created):
    full = int(2 * GIB * 0.98)
    rest = BASE_BYTES + int((full - BASE_BYTES) * used)
    made = grown([room(0, used=full), room(1, used=rest)])
    assert len(made.create) == created
    assert [c.reason for c in made.create] == ["the common pool has room for 0.10 of a shard left"][
        :created
    ]


def test_a_large_pool_keeps_a_share_of_itself_free():
    rooms = [*(room(n, models=100) for n in range(99)), room(99)]
    made = grown(rooms, max_shards=200, headroom_percent=3)  # 3 % of 103 shards is more than 3
    assert names(made) == ["shard-100", "shard-101", "shard-102", "shard-103"][: len(made.create)]
    assert len(made.create) == 3
    assert growth.target(Policy(common={"headroom_percent": 3}).common, 103) > 3
    assert len(grown(rooms, max_shards=200, headroom_percent=0).create) == 0


def test_what_takes_most_requests_has_no_room_either():
    assert growth.free(room(0, load=90.0, max_load=100.0)) == pytest.approx(0.1)
    assert growth.free(room(0, load=90.0)) == 1.0
    assert growth.free(room(0, used=3 * GIB)) == 0.0


def test_shards_are_made_at_once_for_what_waits_as_many_as_it_takes():
    waiting = {f"acme.m{n:03}": footprint(1) for n in range(250)}
    made = grown([room(0, models=100), room(1, models=100)], waiting)
    assert len(made.create) == 3
    assert made.create[0].reason == "acme.m000 waits for room"
    assert not made.short


def test_what_no_shard_would_have_room_for_makes_none():
    made = grown([room(0), room(1)], {"acme.huge": footprint(4 * GIB)})
    assert made == growth.Growth()


def test_there_are_never_more_than_allowed_and_that_is_said():
    waiting = {f"acme.m{n}": footprint(GIB) for n in range(9)}
    made = grown([room(0), room(1)], waiting, max_shards=4)
    assert len(made.create) == 2
    assert made.short == (
        "the common pool has 4 shards, and no more are allowed: acme.m4 waits for room",
    )


def test_a_shard_that_is_draining_counts_as_one_that_there_is():
    known = {"shard-0": shard(0), "shard-1": shard(1, state="draining")}
    made = grown([room(0, models=100)], known=known, max_shards=2, min_shards=1)
    assert not made.create
    assert made.short


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 110), st.integers(0, 3 * GIB)), max_size=6),
    st.lists(st.integers(0, 3 * GIB), max_size=12),
    st.integers(1, 4),
    st.integers(1, 9),
    st.integers(0, 40),
)
def test_afterwards_nothing_more_is_wanted(rooms, waiting, least, most, headroom):
    rooms = [room(n, models=m, used=u) for n, (m, u) in enumerate(rooms)]
    sizes = {f"acme.m{n}": footprint(size) for n, size in enumerate(waiting)}
    asked = {"min_shards": least, "max_shards": max(least, most), "headroom_percent": headroom}
    made = grown(rooms, sizes, **asked)
    total = len(rooms) + len(made.create)
    assert total <= max(len(rooms), least, most)
    assert total >= least
    if made.short:
        assert total >= max(least, most)
    else:
        known = [*rooms, *(room(n) for n in range(len(rooms), total))]
        assert not grown(known, sizes, **asked).create


def test_a_pool_has_shards_of_its_own_and_its_own_shape():
    rooms = [room(0), room(1)]
    gold = {"min_shards": 2, "memory_bytes": 8 * GIB}
    made = grown(rooms, pools={"gold": gold, "mine": {}})
    found = [(c.shard.shard, c.shard.pool, c.shard.memory_bytes) for c in made.create]
    assert found == [
        ("shard-2", "gold", 8 * GIB),
        ("shard-3", "gold", 8 * GIB),
        ("shard-4", "mine", 2 * GIB),
    ]
    assert made.create[0].reason == "pool gold has at least 2 shards"


def test_room_in_another_pool_is_no_room():
    rooms = [room(0), room(1), room(2, models=100, pool="gold")]
    known = {f"shard-{n}": shard(n, pool="gold" if n == 2 else "") for n in range(3)}
    made = grown(rooms, {"acme.a": (footprint(1), "gold")}, known, pools={"gold": {}})
    assert [(c.shard.pool, c.reason) for c in made.create] == [("gold", "acme.a waits for room")]
    full = [room(0, models=100), room(1, models=100), room(2, pool="gold")]
    assert [c.shard.pool for c in grown(full, known=known, pools={"gold": {}}).create] == [""]


def test_a_pool_that_is_named_no_more_grows_no_more():
    rooms = [room(0), room(1), room(2, models=100, pool="gold")]
    known = {f"shard-{n}": shard(n, pool="gold" if n == 2 else "") for n in range(3)}
    assert grown(rooms, {"acme.a": (footprint(1), "gold")}, known) == growth.Growth()


@pytest.mark.parametrize("name", ["", "Gold", "a" * 41, "a/b"])
def test_a_pool_has_a_name_that_can_be_a_label(name):
    with pytest.raises(ValueError, match="pools"):
        Policy(pools={name: {}})
