"""Placement streams: what comes, and what each rule makes of it."""

import pytest

from tests.simulation import compare, packing, streams


def test_a_stream_is_the_same_for_the_same_seed_and_ends_smaller():
    events = list(streams.life(3, 60))
    assert events == list(streams.life(3, 60)) != list(streams.life(4, 60))
    alive = set()
    for event in events:
        (alive.discard if event.footprint is None else alive.add)(event.model)
    assert [event.phase for event in events] == sorted(
        (event.phase for event in events), key=("growth", "churn", "decline").index
    )
    assert 30 < len(alive) < 40


@pytest.mark.parametrize("rule", compare.RULES)
def test_no_rule_passes_a_bound_or_loses_a_model(rule):
    fleet, alive = compare.RULES[rule](5), {}
    for event in streams.life(5, 250):
        if event.footprint is None:
            fleet.went(event.model)
            del alive[event.model]
        else:
            fleet.came(event.model, event.customer, event.footprint)
            alive[event.model] = event.footprint
        fleet.tick()
        assert not any(one.over for one in fleet.bins.values())
    fleet.free()
    held = {name: size for one in fleet.bins.values() for name, size in one.models.items()}
    assert held == alive
    assert all(name in fleet.bins[fleet.places[name]].models for name in alive)
    assert packing.lower_bound(list(alive.values())) <= len(fleet.bins)


def test_a_hash_moves_to_the_added_shard_and_a_choice_moves_nothing():
    hashed, chosen = compare.run("hash, 20 points", 7, 600), compare.run("best fit", 7, 600)
    assert hashed.numbers["moved an added"] > 0 == chosen.numbers["moved an added"]
    assert chosen.ratio["churn"] < hashed.ratio["churn"]
