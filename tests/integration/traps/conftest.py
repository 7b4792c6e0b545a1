"""The use cases over the memory twins, quiet and in a fixed order."""

from tests.support.in_order import in_order, quiet

__all__ = ["in_order", "quiet"]
