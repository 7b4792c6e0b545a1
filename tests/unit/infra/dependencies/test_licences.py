"""docs/licences.md says what is installed, and nothing is installed under a licence that nobody accepted."""

from email.message import Message

import pytest

from infra.dependencies import accepted, licences
from infra.dependencies.licences import Licensed


@pytest.fixture(scope="module")
def packages():
    return licences.collect()


def test_the_document_is_up_to_date(packages):
    assert licences.DOCUMENT.read_text() == licences.render(packages), "run make licences"


def test_every_licence_is_accepted_and_every_acceptance_needed(packages):
    assert licences.problems(packages) == []


def test_what_a_person_read_is_still_needed(packages):
    known = accepted.read().read
    metadata = licences.importlib.metadata.metadata
    assert [n for n in known if licences.of(n, metadata(n), {}) != known[n].metadata] == []


@pytest.mark.parametrize(
    ("licence", "refused"),
    [
        ("AGPL-3.0-only", True),
        ("GPL-3.0-or-later", True),
        ("MIT AND AGPL-3.0-only", True),
        ("MIT OR AGPL-3.0-only", False),
        ("Apache-2.0 AND MIT", False),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("Proprietary", True),
        ("", True),
    ],
)
def test_a_licence_that_is_not_accepted_is_named_with_its_package(packages, licence, refused):
    found = licences.problems([*packages, Licensed("new", "1", licence, ())])
    assert found == ([f"new 1: not accepted: {licence or 'no licence'}"] if refused else [])


def test_an_acceptance_that_nothing_needs_is_named(packages):
    without = [one for one in packages if one.licence != "ISC"]
    assert licences.problems(without) == ["accepted.yaml: no package is under ISC"]


def metadata(**fields):
    made = Message()
    for name, value in fields.items():
        for one in value if isinstance(value, list) else [value]:
            made[name.replace("_", "-")] = one
    return made


BSD = "License :: OSI Approved :: BSD License"


@pytest.mark.parametrize(
    ("given", "licence"),
    [
        ({"License_Expression": "MIT", "License": "BSD"}, "MIT"),
        ({"License": "Apache 2.0", "Classifier": [BSD]}, "Apache-2.0"),
        (
            {"License": "https://www.apache.org/licenses/LICENSE-2.0", "Classifier": [BSD]},
            "BSD License",
        ),
        ({"License": "Copyright (c) 2001 Some One. " * 9, "Classifier": [BSD]}, "BSD License"),
        ({"Classifier": ["License :: OSI Approved", "Topic :: Internet"]}, ""),
        ({}, ""),
    ],
)
def test_the_newest_field_that_names_a_licence_counts(given, licence):
    assert licences.of("a", metadata(**given), {}) == licence


def test_what_was_read_counts_only_while_the_metadata_say_the_same():
    known = {"a": accepted.Read(metadata="BSD", licence="BSD-3-Clause")}
    assert licences.of("a", metadata(License="BSD"), known) == "BSD-3-Clause"
    assert licences.of("a", metadata(License="Proprietary"), known) == "Proprietary"
