"""Plans: each larger one allows at least what the smaller allows; an unknown one is named."""

import dataclasses
import itertools

import pytest

from berth.domain import quotas
from berth.domain.errors import InvalidEvent


def test_a_larger_plan_allows_no_less():
    ladder = [dataclasses.astuple(quotas.quota(p)) for p in ("free", "standard", "enterprise")]
    for small, large in itertools.pairwise(ladder):
        assert all(a <= b for a, b in zip(small, large, strict=True))


@pytest.mark.parametrize("plan", ["", "Free", "gold", "gold\n" * 1000])
def test_an_unknown_plan_is_refused_naming_those_there_are(plan):
    with pytest.raises(InvalidEvent, match="one of enterprise, free, standard") as caught:
        quotas.quota(plan)
    assert len(str(caught.value)) < 500
    assert "\n" not in str(caught.value)
