"""Any fleet, moved tick by tick: no bound is broken at any step, the budget is kept, and it ends."""

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from berth.domain.policy import MovePolicy
from tests.support.moving import MIB, ROOM, Simulated, row, shard

STATES = st.sampled_from(["active", "active", "active", "draining"])
SHARDS = st.lists(
    st.tuples(st.integers(60, 400), STATES, st.sampled_from(["", "", "gold"]), st.integers(3, 12)),
    min_size=1,
    max_size=5,
)
MODELS = st.lists(
    st.tuples(
        st.integers(0, 4),  # its shard
        st.integers(1, 120),  # MiB
        st.integers(0, 60),  # MiB more while it loads
        st.sampled_from(["", "", "", "gold"]),
        st.sampled_from([1, 1, 1, 2, 3, 99]),  # ticks until its target serves it
        st.booleans(),
    ),
    max_size=9,
)
POLICIES = st.builds(
    lambda models, size, mark: MovePolicy(
        at_once=models,
        bytes_at_once=size * MIB,
        high_water=mark,
        patience_seconds=120,
        rest_seconds=600,
    ),
    st.integers(1, 5),
    st.integers(20, 300),
    st.sampled_from([1.0, 0.9, 0.7]),
)
UNHURRIED = {"deadline": None, "derandomize": True, "phases": [Phase.generate]}


def fleet(shards, models, policy):
    made = {
        f"s{n}": shard(f"s{n}", mib=mib, state=state, pool=pool, max_models=most)
        for n, (mib, state, pool, most) in enumerate(shards)
    }
    rows, slow = {}, {}
    for n, (place, mib, growth, pool, ticks, retired) in enumerate(models):
        name = f"acme.m{n}"
        where = f"s{place % len(shards)}"
        rows[name] = row(
            name, where, mib=mib, peak=mib + growth, pool=pool, retired=retired and n % 4 == 0
        )
        slow[name] = ticks
    return Simulated(rows, made, policy, slow)


def over(world, name):
    used, models = world.held(name)
    shape, mark = world.shards[name], world.policy.high_water
    return used > int(shape.memory_bytes * mark) or models > int(shape.max_models * mark)


def checked(world):
    """One tick, after which every bound holds."""
    before = {name: over(world, name) for name in world.shards}
    quiet = not any(len(one.shards) > 1 for one in world.rows.values())
    reasons = quiet and (
        any(before.values())
        or any(shape.state != "active" for shape in world.shards.values())
        or any(one.pool != world.shards[one.shards[0]].pool for one in world.rows.values())
    )
    made = world.tick()
    if quiet and not reasons:
        assert made.empty
    away = [one for one in world.rows.values() if len(one.shards) > 1]
    held = [one.projection.versions[1].resident_bytes for one in away]
    assert len(away) <= world.policy.at_once
    assert sum(held) <= world.policy.bytes_at_once or len(held) == 1
    for begin in made.begin:
        assert not over(world, begin.target)
        assert world.shards[begin.target].state == "active"
        assert world.shards[begin.target].pool == world.rows[begin.servable].pool
    return made


@settings(max_examples=60, **UNHURRIED)
@given(SHARDS, MODELS, POLICIES)
def test_every_bound_holds_at_every_step_and_it_ends(shards, models, policy):
    world = fleet(shards, models, policy)
    never = {name for name, slow in world.slow.items() if slow == 99}
    for left in reversed(range(60 + 20 * len(models))):
        made = checked(world)
        if made.empty and not never:
            left_over = [one for one in world.rows.values() if len(one.shards) > 1]
            if not left_over:
                break
        at_work = {one.servable for one in (*made.begin, *made.end)}
        assert left > 12 or at_work <= never, "only what no target comes to serve is tried again"
    begun = [b.servable for made in world.told[-policy.rest_seconds // 60 :] for b in made.begin]
    assert all(begun.count(name) < len(shards) for name in begun), "each target once a rest"


@settings(max_examples=40, **UNHURRIED)
@given(SHARDS, MODELS)
def test_no_model_is_moved_twice_to_relieve_within_its_rest(shards, models):
    world = fleet(shards, models, MovePolicy(at_once=50))
    relieved = [
        b.servable
        for _ in range(world.policy.rest_seconds // 60)
        for b in checked(world).begin
        if "over its mark" in b.reason
        and not (world.rows[b.servable].move and world.rows[b.servable].move.avoided)
    ]
    assert len(relieved) == len(set(relieved))


@settings(max_examples=40, **UNHURRIED)
@given(SHARDS, MODELS)
def test_freeing_a_shard_moves_what_it_holds_once(shards, models):
    calm = [(mib, "active", "", 100) for mib, *_ in shards]
    models = [(place, mib, growth, "", 1, retired) for place, mib, growth, _, _, retired in models]
    world = fleet([(4000, "active", "", 400), *calm], models, MovePolicy(at_once=50))
    for _ in range(10):
        world.tick()
    world.told.clear()
    name = "s1" if len(world.shards) > 1 else "s0"
    shape = world.shards[name]
    leaving = [one for one in world.rows.values() if one.shards == (name,)]
    held = sum(
        one.projection.versions[1].resident_bytes for one in leaving if not one.projection.retired
    )
    assert held <= shape.memory_bytes - ROOM
    world.shards = {**world.shards, name: shape.model_copy(update={"state": "draining"})}
    for _ in range(12):
        world.tick()
    assert sum(b.bytes for made in world.told for b in made.begin) == held
    assert all(name not in one.shards for one in world.rows.values())
