"""Looks for everything that a deployment needs, and names all that is missing at once.

Nothing is made or changed here. What cannot be looked at because something else is missing is left
for the next run.
"""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import requests
from google.api_core.exceptions import Forbidden, NotFound
from google.auth.exceptions import GoogleAuthError

from infra.deploy import files, permissions, shell, site, variables
from infra.deploy.problems import NotReady, Problem
from infra.deploy.site import Google, Site

OLDEST = (1, 7)
# Terraform turns the other services on, and needs these two to do it.
SERVICES = ("cloudresourcemanager.googleapis.com", "serviceusage.googleapis.com")
_TOOLS = {
    "gcloud": "install the Google Cloud CLI: https://cloud.google.com/sdk/docs/install",
    "kubectl": "gcloud components install kubectl",
    "gke-gcloud-auth-plugin": "gcloud components install gke-gcloud-auth-plugin",
}
_LOCK = "berth/default.tflock"


@dataclass
class Look:
    """What was found so far."""

    project: str
    environment: str
    google: Google
    account: str = ""
    number: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def miss(self, what: str, mend: str) -> None:
        """Note a problem."""
        self.problems.append(Problem(what, mend))


def configured_project() -> str:
    """The project that gcloud works on; empty without one."""
    if shutil.which("gcloud") is None:
        return ""
    told = shell.run(("gcloud", "config", "get-value", "project", "--quiet"), accept=(0, 1)).stdout
    return "" if told.strip() == "(unset)" else told.strip()


def check(
    google: Google, project: str, environment: str, say: Callable[[str], None] = print
) -> Site:
    """A deployment that has all it needs. Raises NotReady with every problem."""
    look = Look(project, environment, google)
    tool = _tools(look)
    _variables(look, tool)
    for what, mend in files.problems():
        look.miss(what, mend)
    if shutil.which("gcloud") and _login(look) and _project(look):
        _permissions(look)
        _state(look)
    if look.problems:
        raise NotReady(look.problems)
    folder = site.folder(project)
    folder.mkdir(parents=True, exist_ok=True)
    return Site(project, look.number, environment, look.values, google, folder, say)


def _tools(look: Look) -> str | None:
    for name, mend in _TOOLS.items():
        if shutil.which(name) is None:
            look.miss(f"{name} is not on PATH", mend)
    tool = shell.terraform()
    mend = "install OpenTofu 1.7 or newer (https://opentofu.org/docs/intro/install) or Terraform"
    if tool is None:
        look.miss("neither tofu nor terraform is on PATH", mend)
        return None
    told = json.loads(shell.run((tool, "version", "-json")).stdout)["terraform_version"]
    if tuple(int(part) for part in re.findall(r"\d+", told)[:2]) < OLDEST:
        look.miss(f"{tool} {told} is older than {'.'.join(map(str, OLDEST))}", mend)
        return None
    return tool


def _variables(look: Look, tool: str | None) -> None:
    if tool is None:
        return
    found = variables.read(tool, look.environment, look.project)
    look.values = dict(found.values)
    for one in found.problems:
        look.miss(one, f"edit {variables.told(look.environment)}")
    if region := look.values.get("region"):
        try:
            problem = variables.region_problem(look.google, region)
        except requests.RequestException as error:
            look.miss(f"Google's list of regions cannot be read: {error}", "look at the network")
        else:
            if problem:
                look.miss(problem, f"edit {variables.told(look.environment)}")


def _login(look: Look) -> bool:
    ask = ("gcloud", "auth", "list", "--filter=status:ACTIVE", "--format=value(account)")
    look.account = shell.run(ask, accept=(0, 1)).stdout.strip()
    if not look.account:
        look.miss("gcloud has no active account", "gcloud auth login")
    try:
        look.google.credentials  # noqa: B018 - asking for them is the check
    except GoogleAuthError as error:
        reason = str(error).splitlines()[0]
        look.miss(
            f"there are no application default credentials that work: {reason}",
            "gcloud auth application-default login",
        )
        return False
    return bool(look.account)


def _project(look: Look) -> bool:
    if not look.project:
        look.miss("no project is chosen", "gcloud config set project PROJECT, or PROJECT=... here")
        return False
    ask = ("gcloud", "projects", "describe", look.project, "--format=json", "--quiet")
    try:
        found = json.loads(shell.run(ask).stdout)
    except shell.CommandFailed as error:
        look.miss(
            f"project {look.project} cannot be read as {look.account}: {_first(error.full)}",
            f"gcloud projects create {look.project}, or choose another by PROJECT=...",
        )
        return False
    if found.get("lifecycleState") != "ACTIVE":
        look.miss(
            f"project {look.project} is {found.get('lifecycleState')}",
            f"gcloud projects undelete {look.project}",
        )
        return False
    look.number = str(found["projectNumber"])
    _billing(look)
    return _services(look)


def _billing(look: Look) -> None:
    project = look.project
    mend = f"gcloud billing projects link {project} --billing-account=ACCOUNT"
    ask = ("gcloud", "billing", "projects", "describe", project, "--format=json", "--quiet")
    try:
        enabled = json.loads(shell.run(ask).stdout).get("billingEnabled", False)
    except shell.CommandFailed as error:
        look.miss(
            f"whether {project} has billing cannot be read: {_first(error.full)}",
            f"gcloud services enable cloudbilling.googleapis.com --project={project}",
        )
        return
    if not enabled:
        look.miss(f"project {project} has no billing account", mend)


def _services(look: Look) -> bool:
    """Whether the permissions can be asked for at all."""
    ask = ("gcloud", "services", "list", "--enabled", f"--project={look.project}")
    try:
        listed = shell.run((*ask, "--format=value(config.name)", "--quiet")).stdout.split()
    except shell.CommandFailed as error:
        look.miss(
            f"the services of {look.project} cannot be listed: {_first(error.full)}",
            f"gcloud services enable {' '.join(SERVICES)} --project={look.project}",
        )
        return False
    if off := [name for name in SERVICES if name not in listed]:
        look.miss(
            f"services are off: {', '.join(off)}",
            f"gcloud services enable {' '.join(off)} --project={look.project}",
        )
        return False
    return True


def _permissions(look: Look) -> None:
    groups = permissions.read()
    asked = list(dict.fromkeys(one for group in groups for one in group.permissions))
    try:
        have = permissions.granted(look.google, look.project, asked)
        for lack in permissions.lacks(groups, have):
            look.miss(
                f"{look.account} may not do what {lack.purpose} need: {', '.join(lack.missing)}",
                f"gcloud projects add-iam-policy-binding {look.project} "
                f"--member={_member(look.account)} --role={lack.role}",
            )
        _budget(look)
    except requests.RequestException as error:
        look.miss(
            f"permissions on {look.project} cannot be asked for: {error}",
            f"gcloud services enable {SERVICES[0]} --project={look.project}; gcloud projects "
            f"add-iam-policy-binding {look.project} --member={_member(look.account)} "
            "--role=roles/serviceusage.serviceUsageConsumer",
        )


def _budget(look: Look) -> None:
    budget = look.values.get("budget")
    if not budget:
        return
    account = budget["billing_account"]
    if missing := permissions.may_budget(look.google, account):
        look.miss(
            f"{look.account} may not make budgets: {', '.join(missing)}",
            f"gcloud billing accounts add-iam-policy-binding {account} "
            f"--member={_member(look.account)} --role=roles/billing.costsManager",
        )


def _state(look: Look) -> None:
    name = site.state_bucket(look.project)
    try:
        lock = look.google.storage.bucket(name).get_blob(_LOCK)
        told = json.loads(lock.download_as_bytes()) if lock is not None else None
    except NotFound:
        return  # no bucket, or let go a moment ago
    except Forbidden:
        look.miss(
            f"the state's bucket {name} may not be read",
            "it may be another project's: bucket names are global. "
            f"gcloud storage buckets describe gs://{name}",
        )
        return
    if told is not None:
        look.miss(
            f"the state is locked since {told.get('Created')} by {told.get('Who')} "
            f"({told.get('Operation')}): another deployment runs, or one was killed half-way",
            "wait for the other one; if nobody deploys: "
            f"gcloud storage rm gs://{name}/{_LOCK}, and run this again: it goes on where it was",
        )


def _member(account: str) -> str:
    robot = account.endswith(".gserviceaccount.com")
    return f"{'serviceAccount' if robot else 'user'}:{account}"


def _first(said: str) -> str:
    lines: Iterator[str] = (line.strip() for line in said.splitlines() if line.strip())
    return next(lines, "it said nothing").removeprefix("ERROR: ")
