"""Gathers what the inventory is made of: an applied plan of infra/terraform, schedules, rendered manifests."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra import functions, manifests, router_image, schedules
from infra.functions import Function
from infra.inventory import known
from infra.offline.workspace import PROJECT, Workspace
from infra.schedules import Schedule

ENVIRONMENT = "prod"
# What env/prod.tfvars leaves to a deployment: given here, so that every kind of grant is seen.
EXAMPLES: dict[str, Any] = {
    "budget": {"billing_account": "012345-6789AB-CDEF01", "amount": 1500, "currency": "EUR"},
    "cluster_operators": ["group:berth-operators@example.com"],
    "status_invokers": ["group:berth-readers@example.com"],
    "uploaders": {"acme": ["serviceAccount:trainer@acme-training.iam.gserviceaccount.com"]},
}


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource that Terraform manages; `values` are those of its state that are not made up."""

    address: str
    kind: str
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Inventory:
    """All that the document tells, each part in the order of its source."""

    resources: tuple[Resource, ...]
    functions: dict[str, Function]
    schedules: tuple[Schedule, ...]
    objects: tuple[manifests.Object, ...]
    outputs: dict[str, Any]

    def of(self, kind: str) -> list[Resource]:
        """The resources of one type, by address."""
        return sorted(
            (one for one in self.resources if one.kind == kind), key=lambda one: one.address
        )


def gather() -> Inventory:
    """Apply env/prod.tfvars to nothing, with EXAMPLES, and read the rest from its files.

    The state and not the plan: only there is every member of every grant known.
    """
    with tempfile.TemporaryDirectory(prefix="berth-inventory-") as folder:
        workspace = Workspace(Path(folder), ENVIRONMENT, variables=EXAMPLES)
        workspace.init()
        plan = workspace.plan()
        workspace.apply()
        state = workspace.state()["values"]
    unknown = {row["address"]: row["change"]["after_unknown"] for row in plan["resource_changes"]}
    given = {
        "BERTH_PROJECT": PROJECT,
        "BERTH_FUNCTIONS_CIDR": plan["variables"]["functions_cidr"]["value"],
        "BERTH_ROUTER_IMAGE": f"europe-west1-docker.pkg.dev/{PROJECT}/{router_image.NAME}:<tag>",
    }
    return Inventory(
        resources=tuple(
            Resource(
                row["address"],
                row["type"],
                known.known(row["values"], unknown[row["address"]], row["type"]),
            )
            for row in state["root_module"]["resources"]
            if row["mode"] == "managed"
        ),
        functions=functions.read(),
        schedules=tuple(schedules.read()),
        objects=tuple(manifests.render(ENVIRONMENT, given)),
        outputs={name: row["value"] for name, row in state["outputs"].items()},
    )
