"""Reads the accepted findings and their reasons from comments in the sources.

A comment counts for the resource that it stands in: a Terraform block, a YAML document, the Dockerfile.
"""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

DOCKERFILE = "Dockerfile"
_SKIP = re.compile(r"#\s*checkov:skip=(?P<check>\w*):?\s*(?P<text>.*)")
_RESOURCE = re.compile(r'resource\s+"(?P<type>\w+)"\s+"(?P<name>\w+)"\s*\{')
_CHECK = re.compile(r"CKV2?_[A-Z0-9]+_[0-9]+")
_FEWEST_WORDS = 4


@dataclass(frozen=True, slots=True)
class Reason:
    """Why `resource` may break the rule `check`. `place` is file and line.

    A resource is type.name of Terraform, kind/name of a manifest, or Dockerfile.
    """

    check: str
    resource: str
    text: str
    place: str

    def problem(self) -> str | None:
        """What is wrong with it by itself."""
        if not _CHECK.fullmatch(self.check):
            return f"{self.place}: names no rule of checkov: {self.check}"
        if not self.resource:
            return f"{self.place}: {self.check} is accepted for no resource: put it inside of one"
        if len(self.text.split()) < _FEWEST_WORDS:
            return f"{self.place}: {self.check} is accepted for {self.resource} without a reason"
        return None


def read(root: Path) -> list[Reason]:
    """All reasons in infra/terraform and k8s of the project at `root`."""
    return [
        *(one for path in sorted(root.glob("infra/terraform/*.tf")) for one in _terraform(path)),
        *(one for path in sorted(root.glob("k8s/**/*.yaml")) for one in _manifests(path)),
        *(one for path in sorted(root.glob("k8s/**/Dockerfile")) for one in _dockerfile(path)),
    ]


def _terraform(path: Path) -> Iterator[Reason]:
    resource = ""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if block := _RESOURCE.match(line):
            resource = f"{block['type']}.{block['name']}"
        elif line.startswith("}"):
            resource = ""
        yield from _found(line, resource, f"{path}:{number}")


def _manifests(path: Path) -> Iterator[Reason]:
    lines = path.read_text().splitlines()
    starts = [0, *(number for number, line in enumerate(lines, 1) if line.rstrip() == "---")]
    for start, end in itertools.pairwise([*starts, len(lines)]):
        value = yaml.safe_load("\n".join(lines[start:end]).removesuffix("---"))
        name = value.get("metadata", {}).get("name") if isinstance(value, dict) else None
        resource = f"{value['kind']}/{name}" if name else ""
        for number, line in enumerate(lines[start:end], start + 1):
            yield from _found(line, resource, f"{path}:{number}")


def _dockerfile(path: Path) -> Iterator[Reason]:
    for number, line in enumerate(path.read_text().splitlines(), 1):
        yield from _found(line, DOCKERFILE, f"{path}:{number}")


def _found(line: str, resource: str, place: str) -> Iterator[Reason]:
    if skip := _SKIP.search(line):
        yield Reason(skip["check"], resource, skip["text"].strip(), place)
