"""The use cases over the memory twins, quiet and in a fixed order."""

from dataclasses import replace

import pytest

from berth.domain import quotas
from tests.support.in_order import in_order, quiet

__all__ = ["in_order", "quiet"]


@pytest.fixture
def plan(monkeypatch):
    """Change what the standard plan allows."""

    def change(**bounds):
        monkeypatch.setitem(quotas.PLANS, "standard", replace(quotas.PLANS["standard"], **bounds))

    return change
