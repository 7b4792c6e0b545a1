"""List prices, as prices.json of this package holds them: the one place where Berth keeps any.

Without taxes, discounts or free tiers. docs/costs.md and the plan both count with these.
"""

from typing import Literal

from pydantic import Field

from berth.domain.canonical import Document

HOURS_A_MONTH = 730
GIB = 1024**3
REPLICA_CPUS = 0.5  # what k8s/shard/deployment.yaml requests for a server


class Price(Document):
    """One price: for what (`unit`), where, as of when (ISO date), read where.

    `verified` is False where it could not be read at its source and is the one we remember.
    """

    price: float = Field(gt=0)
    unit: str = Field(min_length=1)
    currency: Literal["USD"]
    region: str = Field(min_length=1)
    date: str = Field(pattern=r"^\d{4}-\d\d-\d\d$")
    source: str = Field(pattern=r"^https://")
    verified: bool = True
    note: str = ""


class Machine(Price):
    """A machine type, an hour of one node."""

    cpus: int = Field(ge=1)
    memory_gib: float = Field(gt=0)


class Prices(Document):
    """All prices, by short names; machines by their type's name."""

    prices: dict[str, Price]
    machines: dict[str, Machine]

    def node_month(self, machine: str, disk_gib: int) -> float:
        """Return what a node with its boot disk costs a month. Raises KeyError for an unknown machine."""
        disk = self.prices["disk"].price * disk_gib
        return self.machines[machine].price * HOURS_A_MONTH + disk

    def replica_month(self, machine: str, disk_gib: int, memory_bytes: int) -> float | None:
        """Return what a replica costs a month: its share of a node, by CPU or by memory, whichever is more.

        None for a machine without a price here. What a node keeps for itself is not counted.
        """
        kind = self.machines.get(machine)
        if kind is None:
            return None
        share = max(REPLICA_CPUS / kind.cpus, memory_bytes / GIB / kind.memory_gib)
        return share * self.node_month(machine, disk_gib)
