"""docs/costs.md adds up with the prices of the package, and is about the nodes that the environments ask for."""

import re

import pytest
import yaml

from berth.domain.prices import HOURS_A_MONTH, Prices
from infra.functions import ROOT
from tests.support import cloud_plan

PRICES = Prices.decode((ROOT / "shared/berth/prices.json").read_text())
TEXT = (ROOT / "docs/costs.md").read_text()
COLUMNS = {"dev": 3, "prod": 4}
# The prices that a line of the table counts with, by how its first cell begins.
LINES = {
    "GKE's fee": ("cluster",),
    "system pool": ("e2-standard-2",),
    "serving pool": ("e2-standard-4", "e2-highmem-4"),
    "boot disks": ("disk",),
    "a tick a minute": ("lists", "gets"),
    "the same in functions": ("function_cpu", "function_memory"),
    "private DNS zones": ("zone",),
    "Cloud Scheduler": ("job",),
    "metrics of GKE's state": ("samples",),
    "models": ("storage",),
    "logs": ("logs",),
}


def rows():
    """The cells of the base table's rows, by the first one."""
    lines = TEXT.partition("## What grows")[0].splitlines()
    cells = [line.split("|") for line in lines if line.startswith("| ")]
    return {row[1].strip(): [cell.strip() for cell in row] for row in cells[1:]}


def amount(cell):
    """What a cell comes to: "2: 10.00", "3.07 + 0.75", "**258.24**"."""
    return sum(float(number) for number in re.findall(r"\d+\.\d\d", cell))


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_the_base_is_the_sum_of_its_lines(environment):
    column = COLUMNS[environment]
    table = rows()
    total = amount(table.pop("**base, a month**")[column])
    assert sum(amount(row[column]) for row in table.values()) == pytest.approx(total, abs=0.005)


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_the_nodes_are_those_of_the_environment(environment):
    chosen = cloud_plan.variables(environment)
    system, serving = chosen["system_pool"], chosen["serving_pool"]
    nodes = {
        "system pool, e2-standard-2": (system["machine_type"], system["nodes_min"]),
        "serving pool, least": (
            serving["machine_type"],
            serving["nodes_min"] * len(chosen["zones"]),
        ),
    }
    assert system["machine_type"] == "e2-standard-2"
    for name, (machine, count) in nodes.items():
        cell = rows()[name][COLUMNS[environment]]
        assert int(cell.split(" ")[0]) == count, name
        cost = count * HOURS_A_MONTH * PRICES.machines[machine].price
        assert amount(cell) == pytest.approx(cost, abs=0.01), name
    cell = rows()["boot disks, 50 GiB pd-balanced each"][COLUMNS[environment]]
    assert serving["disk_gb"] == 50
    assert int(cell.split(":")[0]) == sum(count for _, count in nodes.values())


def test_every_price_of_the_document_is_that_of_the_file_and_none_is_left_out():
    table = [line.split("|") for line in TEXT.splitlines() if line.startswith("| ")]
    known = {**PRICES.prices, **PRICES.machines}
    assert {name for names in LINES.values() for name in names} == set(known)
    for beginning, names in LINES.items():
        (cells,) = [row for row in table if re.match(rf" {beginning}( |,|:)", row[1])]
        written = [float(number) for number in re.findall(r"\$(0\.\d+)", cells[2])]
        assert sorted(written) == sorted(known[name].price for name in names)
        assert ("**not verified**" in cells[2]) != all(known[name].verified for name in names)


def test_every_source_is_named():
    sources = TEXT.partition("## Sources")[2]
    for price in (*PRICES.prices.values(), *PRICES.machines.values()):
        assert price.source in sources


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_a_node_costs_what_the_document_says(environment):
    pool = cloud_plan.variables(environment)["serving_pool"]
    cost = PRICES.node_month(pool["machine_type"], pool["disk_gb"])
    assert re.search(rf"\b{environment} \${cost:.2f}\b", TEXT)


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_the_most_nodes_are_those_of_the_environment(environment):
    chosen = cloud_plan.variables(environment)
    most = chosen["serving_pool"]["nodes_max"] * len(chosen["zones"])
    zones = len(chosen["zones"])
    each = chosen["serving_pool"]["nodes_max"]
    assert re.search(rf"{most} in {environment} \({zones} zones? x {each}\)", TEXT)


def test_what_is_counted_is_what_is_deployed():
    alerts = cloud_plan.resources("prod", "google_monitoring_alert_policy").values()
    conditions = sum(len(alert["conditions"]) for alert in alerts)
    assert re.search(rf"\b{conditions} alert\s+conditions", TEXT)
    zones = cloud_plan.resources("prod", "google_dns_managed_zone")
    assert f"private DNS zones: {len(zones)} |" in TEXT
    monitoring = ROOT / "k8s/components/managed-prometheus/pod-monitoring.yaml"
    (endpoint,) = yaml.safe_load(monitoring.read_text())["spec"]["endpoints"]
    assert endpoint["interval"] == "30s"
    assert "200 models, 30 s" in TEXT
