"""Reads accepted.yaml: licences and known faults that are accepted, with reasons."""

from pathlib import Path
from typing import Annotated

import pydantic
import yaml

FILE = Path(__file__).with_name("accepted.yaml")
Text = Annotated[str, pydantic.Field(min_length=10)]


class _Strict(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class Read(_Strict):
    """The licence that a person read in a package, and the metadata that did not tell it."""

    metadata: str
    licence: str


class Accepted(_Strict):
    """Reasons by SPDX identifier and by advisory; licences that were read, by package."""

    licences: dict[str, Text]
    read: dict[str, Read]
    vulnerabilities: dict[str, Text]


def read() -> Accepted:
    """The file. Raises pydantic.ValidationError naming every entry that is wrong."""
    return Accepted.model_validate(yaml.safe_load(FILE.read_text()))
