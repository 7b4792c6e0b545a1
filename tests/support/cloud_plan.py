"""Plans of infra/terraform without an account, each made once a run."""

import functools
import ipaddress
import json
import tempfile
from pathlib import Path

from infra.offline.workspace import PROJECT, Workspace

__all__ = ["PROJECT", "network", "plan", "resources", "variables"]


def plan(environment, **overrides):
    """The plan of an environment, with some of its variables given otherwise, as `tofu show -json` has it."""
    return _plan(environment, json.dumps(overrides))


@functools.cache
def _plan(environment, overrides):
    with tempfile.TemporaryDirectory(prefix="berth-plan-") as folder:
        workspace = Workspace(Path(folder), environment, variables=json.loads(overrides))
        workspace.init()
        return workspace.plan()


def resources(environment, kind, **overrides):
    """What would be made of one kind: its values by its address."""
    module = plan(environment, **overrides)["planned_values"]["root_module"]
    return {
        row["address"]: row["values"]
        for row in module["resources"]
        if row["type"] == kind and row["mode"] == "managed"
    }


def variables(environment):
    """The values of the environment's variables."""
    return {name: row.get("value") for name, row in plan(environment)["variables"].items()}


def network(text):
    """A range; host bits that are set are an error."""
    return ipaddress.ip_network(text, strict=True)
