"""Prices: one file, each with its date and source, and what a replica costs of a node."""

import json
import math
from datetime import date

import pytest
import yaml

from berth.domain.errors import Damaged
from berth.domain.prices import GIB, REPLICA_CPUS, Prices
from infra.functions import ROOT

PRICES = Prices.decode((ROOT / "shared/berth/prices.json").read_text())


@pytest.mark.parametrize("name", [*PRICES.prices, *PRICES.machines])
def test_a_price_has_a_day_that_has_been(name):
    price = {**PRICES.prices, **PRICES.machines}[name]
    assert date(2025, 1, 1) <= date.fromisoformat(price.date) <= date(2026, 11, 21)


def test_a_replica_costs_its_share_by_memory_or_by_cpu_whichever_is_more():
    node = 730 * 0.1988884 + 50 * 0.10
    assert math.isclose(PRICES.node_month("e2-highmem-4", 50), node)
    assert math.isclose(PRICES.replica_month("e2-highmem-4", 50, 8 * GIB), node / 4)
    assert math.isclose(PRICES.replica_month("e2-highmem-4", 50, GIB), node / 8)


def test_a_machine_without_a_price_has_none():
    assert PRICES.replica_month("n2-standard-8", 50, GIB) is None


def test_a_replica_asks_for_the_cpu_that_is_counted():
    deployment = yaml.safe_load((ROOT / "k8s/shard/deployment.yaml").read_text())
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["requests"]["cpu"] == f"{REPLICA_CPUS * 1000:.0f}m"


@pytest.mark.parametrize("price", [0, -1])
def test_what_costs_nothing_is_no_price(price):
    known = PRICES.model_dump()
    known["prices"]["zone"]["price"] = price
    with pytest.raises(Damaged):
        Prices.decode(json.dumps(known))
