"""Terraform or OpenTofu over infra/terraform, for one deployment."""

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from infra import functions
from infra.deploy import shell, variables
from infra.deploy.site import TERRAFORM, Site

PREFIX = "berth"
_CHANGED = 2  # `plan -detailed-exitcode`
_QUIET = ("-input=false", "-no-color")


@dataclass(frozen=True, slots=True)
class Plan:
    """A saved plan: its file, and (action, address) of every resource that it changes."""

    path: Path
    changes: tuple[tuple[str, str], ...]
    empty: bool

    def __str__(self) -> str:
        """How many of each, for people."""
        counts = {verb: sum(one == verb for one, _ in self.changes) for verb, _ in self.changes}
        return ", ".join(f"{count} to {verb}" for verb, count in counts.items()) or "outputs only"


class Terraform:
    """The commands. `scratch` plans without a state: nothing is there yet."""

    def __init__(self, site: Site, *, scratch: bool = False) -> None:
        """Nothing runs yet."""
        self._site = site
        self._folder = _scratch(site) if scratch else TERRAFORM
        self._scratch = scratch
        self._data = site.folder / ("terraform-scratch" if scratch else "terraform")

    @cached_property
    def _program(self) -> tuple[str, ...]:
        tool = shell.terraform()
        assert tool is not None  # preflight looked
        return (tool, f"-chdir={self._folder}")

    @property
    def _environment(self) -> Mapping[str, str]:
        # The project pays for calls made with a person's credentials; its services are on.
        return {
            "TF_DATA_DIR": str(self._data),
            "TF_IN_AUTOMATION": "1",
            "USER_PROJECT_OVERRIDE": "true",
            "GOOGLE_BILLING_PROJECT": self._site.project,
        }

    def init(self) -> None:
        """Get the provider and find the state."""
        backend = (
            f"-backend-config=bucket={self._site.state_bucket}",
            f"-backend-config=prefix={PREFIX}",
        )
        self._run("init", *_QUIET, "-reconfigure", *(() if self._scratch else backend))

    def plan(self, *targets: str, destroy: bool = False, dry: bool = False) -> Plan:
        """Compare what is there with infra/terraform, and save the difference.

        A dry plan is not to be applied, and so takes no lock.
        """
        path = self._site.folder / "plan"
        options = [f"-out={path}", "-detailed-exitcode", *self._variables()]
        options += ["-destroy"] if destroy else []
        options += ["-lock=false"] if dry else []
        options += [f"-target={one}" for one in targets]
        done = self._run("plan", *_QUIET, *options, accept=(0, _CHANGED))
        shown = json.loads(self._run("show", "-json", str(path)).stdout)
        return Plan(path, tuple(_changes(shown)), empty=done.returncode != _CHANGED)

    def apply(self, plan: Plan) -> None:
        """Carry a saved plan out."""
        words = ("apply", *_QUIET, str(plan.path))
        shell.follow((*self._program, *words), self._site.log, self._environment)

    def addresses(self) -> list[str]:
        """Every resource in the state, data sources left out."""
        done = self._run("state", "list", accept=(0, 1))
        if done.returncode:
            if "No state file was found" in done.stderr:
                return []
            raise shell.CommandFailed(("tofu", "state", "list"), done.returncode, done.stderr)
        lines = done.stdout.split("\n")
        return [one for one in lines if one and not one.startswith("data.")]

    def values(self) -> dict[str, dict[str, Any]]:
        """What the state says of each resource, by its address."""
        shown = json.loads(self._run("show", "-json").stdout)
        module = shown.get("values", {}).get("root_module", {})
        return {one["address"]: one["values"] for one in module.get("resources", ())}

    def _variables(self) -> Iterator[str]:
        yield f"-var-file={variables.file(self._site.environment)}"
        yield f"-var-file={bundle_variables(self._site)}"
        yield f"-var=project_id={self._site.project}"

    def _run(self, *words: str, accept: tuple[int, ...] = (0,)) -> Any:  # noqa: ANN401
        return shell.run(
            (*self._program, *words),
            environment=self._environment,
            log=self._site.log,
            accept=accept,
        )


def bundle_variables(site: Site) -> Path:
    """The file that tells Terraform where the bundles are."""
    return site.folder / "bundles.tfvars.json"


def write_bundle_variables(site: Site, paths: Mapping[str, Path]) -> None:
    """Name each function's bundle as seen from infra/terraform, so that any checkout says the same."""
    told = {name: os.path.relpath(path, TERRAFORM) for name, path in paths.items()}
    bundle_variables(site).write_text(json.dumps({"bundles": told}, indent=1, sort_keys=True))


def _changes(shown: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for one in shown.get("resource_changes", ()):
        actions = one["change"]["actions"]
        if one["mode"] == "managed" and actions not in (["no-op"], ["read"]):
            yield "replace" if len(actions) > 1 else actions[0], one["address"]


def _scratch(site: Site) -> Path:
    """The checkout by links, with a local and empty state instead of the bucket."""
    top = site.folder / "scratch"
    shutil.rmtree(top, ignore_errors=True)
    target = top / "infra" / "terraform"
    target.mkdir(parents=True)
    _link(top, functions.ROOT.iterdir(), but=("infra",))
    _link(top / "infra", (functions.ROOT / "infra").iterdir(), but=("terraform",))
    _link(target, TERRAFORM.iterdir(), but=(".terraform", "terraform.tfstate"))
    override = 'terraform {\n  backend "local" {}\n}\n'
    (target / "scratch_override.tf").write_text(override)
    return target


def _link(into: Path, entries: Iterable[Path], but: tuple[str, ...]) -> None:
    for one in entries:
        if one.name not in but:
            (into / one.name).symlink_to(one)
