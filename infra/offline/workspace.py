"""A copy of a Terraform folder in which tofu really runs: no account, no network, a state of its own."""

import json
import os
import re
import shutil
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from infra import functions
from infra.offline import provider_build, schema, tofu

TERRAFORM = Path(__file__).parents[1] / "terraform"
PROJECT = "example-project"
_OUTSIDE = re.compile(r'\$\{path\.module\}/((?:\.\./)+[^"$]+)"')
_DECLARED = re.compile(r'^variable\s+"(\w+)"', re.MULTILINE)
_BACKEND = 'terraform {\n  backend "local" {}\n}\n'


class Workspace:
    """A root module under `folder`, with the variables of one environment.

    Each method runs one command of tofu and raises tofu.Failed, with tofu's own text, where it fails.
    """

    def __init__(
        self,
        folder: Path,
        environment: str = "dev",
        bundles: Mapping[str, Path] | None = None,
        variables: Mapping[str, Any] | None = None,
        source: Path = TERRAFORM,
    ) -> None:
        """Copy `source`, and the files outside of it that it reads by `${path.module}/../...`.

        `bundles` maps a function's name to its zip (left out: an empty zip each); `variables` win over
        those of `env/<environment>.tfvars`.
        """
        self.folder = folder / "infra" / "terraform"
        _copy(source, self.folder)
        self._var_files = [f for f in (f"env/{environment}.tfvars",) if (self.folder / f).exists()]
        self._var_files.append("workspace.tfvars.json")
        self._variables(bundles, variables or {})

    def environment(self) -> dict[str, str]:
        """What to export so that a plain `tofu` in a copy of these files finds the same provider."""
        ours = {key: value for key, value in os.environ.items() if not key.startswith("TF_")}
        return {
            **ours,
            "PATH": f"{tofu.binary().parent}{os.pathsep}{os.environ['PATH']}",
            "TF_CLI_CONFIG_FILE": str(provider_build.mirror(schema.used(self.folder))),
            "TF_IN_AUTOMATION": "1",
            "TF_INPUT": "0",
        }

    def init(self) -> None:
        """Install the provider from the mirror and make the local state."""
        self._run("init", "-input=false", "-no-color")

    def validate(self) -> None:
        """Check every resource and argument against the provider's schema."""
        self._run("validate", "-no-color")

    def plan(self) -> dict[str, Any]:
        """The plan, as `tofu show -json` prints it."""
        self._run("plan", "-input=false", "-no-color", "-out=plan", *self._given())
        return self._json("show", "-json", "plan")

    def apply(self) -> None:
        """Apply; values that only the cloud knows are made up."""
        self._run("apply", "-input=false", "-no-color", "-auto-approve", *self._given())

    def destroy(self, targets: Iterable[str] = ()) -> None:
        """Destroy everything, or these addresses and what depends on them."""
        aimed = [f"-target={target}" for target in targets]
        self._run("destroy", "-input=false", "-no-color", "-auto-approve", *aimed, *self._given())

    def state(self) -> dict[str, Any]:
        """The state, as `tofu show -json` prints it."""
        return self._json("show", "-json")

    def state_list(self) -> list[str]:
        """The addresses in the state, in tofu's order."""
        return self._run("state", "list").splitlines()

    def _given(self) -> list[str]:
        return [f"-var-file={name}" for name in self._var_files]

    def _variables(self, bundles: Mapping[str, Path] | None, variables: Mapping[str, Any]) -> None:
        declared = {
            name
            for path in self.folder.glob("*.tf")
            for name in _DECLARED.findall(path.read_text())
        }
        values: dict[str, Any] = {}
        if "project_id" in declared:
            values["project_id"] = PROJECT
        if "bundles" in declared:
            values["bundles"] = {
                name: str(path) for name, path in (bundles or self._empty()).items()
            }
        values.update(variables)
        (self.folder / "workspace.tfvars.json").write_text(json.dumps(values, indent=1))

    def _empty(self) -> dict[str, Path]:
        folder = self.folder / "bundles"
        folder.mkdir(exist_ok=True)
        paths = {name: folder / f"{name}.zip" for name in functions.read()}
        for path in paths.values():
            with zipfile.ZipFile(path, "w"):
                pass
        return paths

    def _json(self, *arguments: str) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(self._run(*arguments))
        return read

    def _run(self, *arguments: str) -> str:
        return tofu.run(arguments, folder=self.folder, environment=self.environment())


def _copy(source: Path, target: Path) -> None:
    ignored = shutil.ignore_patterns(".terraform", ".terraform.lock.hcl", "*.tfstate*")
    shutil.copytree(source, target, ignore=ignored)
    (target / "workspace_override.tf").write_text(_BACKEND)
    for path in sorted(source.glob("*.tf")):
        for outside in _OUTSIDE.findall(path.read_text("utf-8")):
            there = target / outside
            there.resolve().parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / outside, there)
