"""A bounded round of fuzzing, always the same: no parser of untrusted bytes raises what it does not declare."""

import pytest

from tests.fuzz.parsers import PARSERS, fuzz


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.name)
def test_no_input_is_a_fault(parser):
    found = fuzz(parser, examples=150, seed=20261121)
    assert found.executions >= 100
    assert found.refused, "nothing was refused: the inputs are too tame"
    assert found.refused < found.executions, "nothing passed: the inputs do not get far"
