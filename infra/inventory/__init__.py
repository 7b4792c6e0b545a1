"""What a deployment would make, and what it would let whom do, read from the files without an account.

`python -m infra.inventory` writes docs/inventory.md. It is a golden file: a new permission is a difference
that a reviewer sees.
"""

from pathlib import Path

from infra.inventory.document import render
from infra.inventory.source import Inventory, gather

__all__ = ["FILE", "Inventory", "gather", "render"]

FILE = Path(__file__).parents[2] / "docs" / "inventory.md"
