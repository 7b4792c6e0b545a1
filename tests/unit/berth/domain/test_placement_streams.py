"""Streams of models over a fleet: never over a bound whatever the race, nothing waits for ever, and few
shards more than the bytes need.
"""

import math
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from berth.domain import capacity, fleet, growth, placement, rooming
from berth.domain.documents import Footprint, Policy, Shard
from berth.domain.fleet import FirstShards, ModelRow
from berth.domain.placement import BASE_BYTES, Wanted
from berth.domain.shard_status import Summary
from tests.support import shards

MIB = 1024**2
MEMORY = BASE_BYTES + 200 * MIB
FIRST = FirstShards(2, replicas_min=1, replicas_max=1, memory_bytes=MEMORY, max_models=6)


def size(resident, growing=0):
    return Footprint(
        resident_bytes=resident * MIB, peak_bytes=(resident + growing) * MIB, load_seconds=1
    )


class Town:
    """Shards, what is placed on them, and what their lease holders let in; several decide at once."""

    def __init__(self):
        self.shards, self.rows, self.serving = {}, {}, {}
        self.summaries = {}
        self.tick()

    def rooms(self):
        return rooming.rooms(self.shards, self.summaries, fleet.placed(self.rows.values()))

    def admit(self, models):
        """Place these side by side: each sees the fleet as it was before all of them."""
        rooms = self.rooms()
        for servable, footprint in models:
            placed = placement.place(Wanted(servable, footprint), rooms)
            self.put(servable, footprint, placed.shard or placement.emptiest(rooms))

    def put(self, servable, footprint, shard):
        projection = shards.projection(1).model_copy(update={"versions": {1: footprint}})
        self.rows[servable] = ModelRow(servable, (shard,), projection)

    def passes(self):
        """Each shard's lease holder has the last word."""
        for name, shape in self.shards.items():
            mine = {n: r.projection for n, r in self.rows.items() if r.shards == (name,)}
            held = {n for n in self.serving.get(name, ()) if n in mine}
            seen = shards.seen(
                projections=mine, shard=shape, records={n: shards.record(1) for n in held}
            )
            fits = capacity.fitting(seen)
            serving = {n: mine[n].versions for n in mine if n in fits}
            assert capacity.within(serving, shape), "over a bound"
            assert held <= set(serving), "what serves stays"
            self.serving[name] = set(serving)
            self.summaries[name] = Summary(
                shard=name,
                capacity=capacity.used(seen),
                replicas=1,
                ready=1,
                oldest_start="",
                rollouts=0,
                unplaced=tuple(sorted(set(mine) - set(serving))),
            )

    @property
    def unplaced(self):
        return {name: seen.unplaced for name, seen in self.summaries.items()}

    def tick(self):
        rows = tuple(self.rows.values())
        waiting = fleet.waiting(rows, self.unplaced)
        asked = [(row, footprint) for _, row, footprint in waiting]
        pools = growth.pools(self.shards, self.rooms(), asked, Policy())
        for made in growth.make(pools, self.shards, FIRST).create:
            self.shards[made.shard.shard] = made.shard
        for move in fleet.replacements(rows, waiting, self.rooms()):
            row = self.rows[move.servable]
            self.rows[move.servable] = replace(row, shards=(move.target,))


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(st.integers(1, 120), st.integers(0, 60)), min_size=1, max_size=12),
        max_size=4,
    )
)
def test_whatever_the_race_no_shard_is_over_its_bound_and_nothing_waits_for_ever(bursts):
    town, number = Town(), 0
    for burst in bursts:
        models = [(f"acme.m{number + n:03}", size(*one)) for n, one in enumerate(burst)]
        number += len(burst)
        town.admit(models)
        town.passes()
        town.tick()
    for _ in range(6):
        town.passes()
        town.tick()
    town.passes()
    assert not any(town.unplaced.values())
    assert sum(map(len, town.serving.values())) == number


def online(seed, models, *, max_models):
    """Place a stream of log-normal sizes one after another; return shards used, and the lower bound."""
    chance = random.Random(seed)
    memory = 4096 * MIB
    known, sizes, total = {}, {}, []
    customers = {}
    for number in range(models):
        customer = f"c{chance.randrange(models // 4)}"
        grown = int(chance.lognormvariate(3, 1) * MIB)
        model = Footprint(resident_bytes=grown, peak_bytes=int(grown * 1.2), load_seconds=1)
        rooms = tuple(known.values())
        home = customers.setdefault(customer, placement.home(customer, rooms) or "")
        placed = placement.place(Wanted(f"{customer}.m{number}", model, home=home), rooms).shard
        if not placed:
            placed = f"shard-{len(known)}"
            shape = Shard(shard=placed, memory_bytes=memory, max_models=max_models)
            known[placed] = rooming.room(shape, None)
        sizes.setdefault(placed, []).append(model)
        total.append(model)
        used = placement.needed_bytes(sizes[placed])
        assert used <= memory
        known[placed] = replace(known[placed], models=len(sizes[placed]), used_bytes=used)
    by_bytes = sum(model.resident_bytes for model in total) / (memory - BASE_BYTES)
    return len(known), math.ceil(max(by_bytes, models / max_models))


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(("models", "max_models"), [(1500, 1000), (1500, 60)])
def test_a_stream_takes_few_shards_more_than_it_needs(seed, models, max_models):
    used, least = online(seed, models, max_models=max_models)
    assert least >= 10
    assert used <= math.ceil(1.05 * least), (used, least)
