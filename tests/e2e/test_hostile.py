"""Models that loop or eat memory when they run: judged within their bound, and nobody else waits."""

from datetime import datetime

from tests.support.e2e import until

FREE_SECONDS = 30  # what the plan allows a load and a run


def test_a_model_that_loops_is_rejected_within_its_bound(berth, attack):
    attacker, began = attack
    verdict = berth.verdict(f"{attacker}/endless/1", "REJECTED")
    assert f"within {FREE_SECONDS} s" in verdict["reason"]
    took = datetime.fromisoformat(verdict["at"]) - began
    assert FREE_SECONDS <= took.total_seconds() < 2 * FREE_SECONDS
    until("it is settled", lambda: berth.fleet.model(f"{attacker}.endless")["state"] == "REJECTED")
    berth.serves(f"{attacker}.starter", 1)


def test_a_model_that_eats_memory_is_rejected(berth, attack):
    attacker, _ = attack
    assert "1024 MiB" in berth.verdict(f"{attacker}/eater/1", "REJECTED")["reason"]
    until("it is settled", lambda: berth.fleet.model(f"{attacker}.eater")["state"] == "REJECTED")
