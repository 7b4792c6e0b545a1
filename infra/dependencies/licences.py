"""Writes docs/licences.md: every installed package, its licence, and the functions that ship it.

Licences come from the installed metadata (License-Expression of PEP 639, else the older fields), as
SPDX expressions; accepted.yaml has what a person read where the metadata do not tell.
"""

import argparse
import importlib.metadata
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageMetadata

from infra.dependencies import accepted, environment, locks

DOCUMENT = environment.ROOT / "docs" / "licences.md"
# What older metadata say for what SPDX calls otherwise.
_SPELLINGS = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD 2-Clause License": "BSD-2-Clause",
    "BSD 3-Clause": "BSD-3-Clause",
    "ISC License": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
_HEAD = """\
# Licences

The Python packages of Berth, their licences as their metadata declare them (where those do not tell all: as their
licence files do), and who ships them. `make licences` writes this file from requirements.lock and what is installed;
a test holds it to them and to the licences that `infra/dependencies/accepted.yaml` accepts. The serving image's own
packages are not in here: they come with `tensorflow/serving` and Debian.

"""


@dataclass(frozen=True, slots=True)
class Licensed:
    """A package of the project's lock, the SPDX expression of its licence, the functions that ship it."""

    name: str
    version: str
    licence: str
    functions: tuple[str, ...]


def collect() -> list[Licensed]:
    """Every package of requirements.lock, as installed in the environment that runs this.

    Raises importlib.metadata.PackageNotFoundError for one that is not installed.
    """
    shipped = {name: locks.read(lock) for name, lock in locks.of_functions().items()}
    known = accepted.read().read
    return [
        Licensed(
            pin.name,
            pin.version,
            of(pin.name, importlib.metadata.metadata(pin.name), known),
            tuple(name for name, lock in shipped.items() if pin.name in lock),
        )
        for pin in locks.read(locks.PROJECT).values()
    ]


def of(name: str, metadata: PackageMetadata, known: Mapping[str, accepted.Read]) -> str:
    """The licence of a package as an SPDX expression; what was read counts while the metadata stay."""
    declared = _declared(metadata)
    if name in known and known[name].metadata == declared:
        return known[name].licence
    return declared


def problems(packages: Iterable[Licensed]) -> list[str]:
    """Packages under a licence that is not accepted, and entries of accepted.yaml that nothing needs."""
    given, used, found = accepted.read(), set[str](), []
    for one in packages:
        wanted = _needed(one.licence, given.licences)
        used |= wanted or set()
        if wanted is None:
            found.append(f"{one.name} {one.version}: not accepted: {one.licence or 'no licence'}")
    idle = sorted(set(given.licences) - used)
    return found + [f"accepted.yaml: no package is under {licence}" for licence in idle]


def render(packages: Iterable[Licensed]) -> str:
    """The document."""
    count = len(locks.of_functions())
    rows = [
        f"| {one.name} | {one.version} | {one.licence} | {_shippers(one.functions, count)} |"
        for one in packages
    ]
    head = ("| package | version | licence | shipped by |", "|---|---|---|---|")
    why = accepted.read().licences
    reasons = ("", "## Why each is accepted", "", *(f"* {key}: {why[key]}." for key in sorted(why)))
    return _HEAD + "\n".join((*head, *rows, *reasons)) + "\n"


def _declared(metadata: PackageMetadata) -> str:
    classifiers = [
        one.rpartition(" :: ")[2]
        for one in metadata.get_all("Classifier") or ()
        if one.startswith("License :: OSI Approved :: ")
    ]
    fields = [
        *(metadata.get_all("License-Expression") or ()),
        *(metadata.get_all("License") or ()),
    ]
    # A whole licence text in the field is no name, nor is an address.
    named = [one for one in (*fields, *classifiers) if len(one) < 60 and "://" not in one]
    return _SPELLINGS.get(named[0], named[0]) if named else ""


def _needed(licence: str, allowed: Mapping[str, str]) -> set[str] | None:
    """The accepted identifiers that cover an expression without brackets; None where some part is not."""
    parts = [
        {one for one in part.split(" OR ") if one in allowed} for part in licence.split(" AND ")
    ]
    return set().union(*parts) if all(parts) else None


def _shippers(names: tuple[str, ...], count: int) -> str:
    if len(names) == count:
        return "all functions"
    return ", ".join(names) if names else "development only"


def main() -> None:
    """Write the document; exit with 1 where a licence is not accepted."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    packages = collect()
    DOCUMENT.write_text(render(packages))
    if found := problems(packages):
        sys.exit("\n".join(found))


if __name__ == "__main__":
    main()
