"""An audit is never green about what it could not ask, and faults are accepted by reason alone."""

import pytest

from infra.dependencies import accepted, audit
from infra.dependencies.audit import Fault, Unreachable

FAULT = Fault("requests", "2.19.1", ("PYSEC-2018-28", "CVE-2018-18074"), ("2.20.0",))
FOUND = {"id": "PYSEC-2018-28", "aliases": ["CVE-2018-18074"], "fix_versions": ["2.20.0"]}
CLEAN = {"name": "six", "version": "1.17.0", "vulns": []}
SKIPPED = {"name": "berth", "skip_reason": "Dependency not found on PyPI"}


def test_faults_carry_all_their_names_and_what_mends_them():
    bad = {"name": "requests", "version": "2.19.1", "vulns": [FOUND]}
    assert audit.faults({"dependencies": [CLEAN, bad]}) == [FAULT]
    assert str(FAULT) == "requests 2.19.1: PYSEC-2018-28 CVE-2018-18074 (fixed in 2.20.0)"


def test_a_package_that_was_not_audited_is_no_success():
    with pytest.raises(Unreachable, match=r"1 of 2 not audited: Dependency not found on PyPI"):
        audit.faults({"dependencies": [CLEAN, SKIPPED]})


def test_a_fault_is_accepted_by_any_of_its_names_and_no_other():
    assert audit.problems([FAULT], {}) == [str(FAULT)]
    assert audit.problems([FAULT], {"CVE-2018-18074": "never sent to strangers"}) == []
    idle = "accepted.yaml: CVE-2000-1 is no fault of what is locked"
    assert audit.problems([FAULT], {"CVE-2000-1": "never sent to strangers"}) == [str(FAULT), idle]


def test_every_entry_of_the_file_has_a_reason():
    assert accepted.read().licences
    with pytest.raises(ValueError, match=r"licences\.MIT"):
        accepted.Accepted(licences={"MIT": "fine"}, read={}, vulnerabilities={})
