"""Reads env/<environment>.tfvars with Terraform itself: types, validations and all."""

import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from infra import functions
from infra.deploy import shell
from infra.deploy.site import TERRAFORM, Google

# Given by the deployment itself, whatever the file says.
GIVEN = ("project_id", "bundles")
# Names that stand for nobody (RFC 2606, RFC 6761), and what people write where a value is due.
_PLACEHOLDER = re.compile(
    r"@([\w.-]+\.)?(example(\.\w+)?|invalid|test|localhost)\b|\b(TODO|FIXME|CHANGEME|REPLACE_ME)\b"
    r"|<[\w -]+>|\b0{6}-0{6}-0{6}\b|\bmy-(project|org|group)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Variables:
    """The values, and what is wrong with them: one text for each problem."""

    values: Mapping[str, Any]
    problems: tuple[str, ...]


def file(environment: str) -> Path:
    """Where an environment's variables are."""
    return TERRAFORM / "env" / f"{environment}.tfvars"


def told(environment: str) -> str:
    """The same for people."""
    return str(file(environment).relative_to(functions.ROOT))


def read(tool: str, environment: str, project: str) -> Variables:
    """All variables as a plan would see them. `tool` is tofu or terraform.

    A plan of variables.tf alone needs no provider, no state and no login.
    """
    path = file(environment)
    if not path.is_file():
        return Variables({}, (f"{told(environment)} is missing",))
    with tempfile.TemporaryDirectory(prefix="berth-variables-") as temporary:
        return _read(tool, path, environment, project, Path(temporary))


def _read(tool: str, path: Path, environment: str, project: str, alone: Path) -> Variables:
    shutil.copy(TERRAFORM / "variables.tf", alone)
    given = {"project_id": project or "unknown-project", "bundles": {}}
    (alone / "given.auto.tfvars.json").write_text(json.dumps(given))
    program = (tool, f"-chdir={alone}")
    quiet = ("-input=false", "-no-color")
    try:
        shell.run((*program, "plan", *quiet, f"-var-file={path}", "-out=plan"))
        shown = shell.run((*program, "show", "-json", "plan")).stdout
    except shell.CommandFailed as error:
        return Variables({}, tuple(_errors(error.full, told(environment))))
    found = json.loads(shown).get("variables", {})
    values = {name: one.get("value") for name, one in found.items()}
    problems = [
        f"{told(environment)}: {where} is still a placeholder: {text!r}"
        for where, text in _texts({k: v for k, v in values.items() if k not in GIVEN}, "")
        if _PLACEHOLDER.search(text)
    ]
    if values.get("environment") != environment:
        problems.append(f"{told(environment)}: environment is {values.get('environment')!r}")
    return Variables(values, tuple(problems))


def region_problem(google: Google, region: str) -> str:
    """What is wrong with a region, or nothing. Raises requests.RequestException."""
    answer = requests.get(google.regions_url, timeout=20)
    answer.raise_for_status()
    known = {one["scope"] for one in answer.json()["prefixes"]} - {"global"}
    if region in known:
        return ""
    near = sorted(one for one in known if one.split("-")[0] == region.split("-")[0])
    return f"region {region!r} does not exist; " + (
        f"there are {', '.join(near)}" if near else "one is europe-west1"
    )


def _errors(said: str, path: str) -> Iterator[str]:
    """Terraform's errors, each as one line: what, and where."""
    plain = re.sub(r"^[│╷╵ ]+", "", said, flags=re.MULTILINE)
    for block in re.split(r"^(?=Error: )", plain, flags=re.MULTILINE):
        if block.startswith("Error: "):
            lines = [line.strip() for line in block.splitlines() if line.strip()]
            unset = re.search(r'variable "(\w+)" is not set', block)
            yield f"{path}: {unset[1]} is not set" if unset else f"{path}: {' '.join(lines)}"


def _texts(value: object, where: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from _texts(one, f"{where}.{key}".removeprefix("."))
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _texts(one, f"{where}[{number}]")
