"""docs/costs.md adds up, and is about the nodes that the environments ask for."""

import re

import pytest
import yaml

from infra.functions import ROOT
from tests.support import cloud_plan

HOURS = 730
TEXT = (ROOT / "docs/costs.md").read_text()
COLUMNS = {"dev": 3, "prod": 4}


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
    prices = dict(re.findall(r"(e2-[a-z]+-\d+),? (?:\$)?(?:\$)(0\.\d+)", TEXT))
    prices["e2-standard-2"] = re.search(r"e2-standard-2 \| \$(0\.\d+) an hour", TEXT)[1]
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
        cost = count * HOURS * float(prices[machine])
        assert amount(cell) == pytest.approx(cost, abs=0.01), name
    cell = rows()["boot disks, 50 GiB pd-balanced each"][COLUMNS[environment]]
    assert serving["disk_gb"] == 50
    assert int(cell.split(":")[0]) == sum(count for _, count in nodes.values())


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
