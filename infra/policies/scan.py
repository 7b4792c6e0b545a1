"""Runs checkov over a folder of targets, and holds its findings against the reasons."""

import json
import os
import re
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.dependencies import environment
from infra.policies.reasons import DOCKERFILE, Reason

LOCK = environment.ROOT / "infra" / "dependencies" / "tools" / "checkov.lock"
FRAMEWORKS = ("terraform_plan", "kubernetes", "dockerfile")
_OPTIONS = ("--framework", *FRAMEWORKS, "--skip-download", "--compact", "-o", "json")
# Nothing is asked of the network, and who tries is refused at once.
_NOWHERE = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:9")
_ERROR = re.compile(r"^.*\[ERROR *\].*$", re.MULTILINE)
_CRASHED = re.compile(r"Failed to run check (?P<check>\w+) on /?(?P<file>[^:]+):(?P<resource>\S+)")
_Row = tuple[str, str, str, str]  # rule, resource, what the rule says, file


class ScanError(RuntimeError):
    """checkov did not check what it was given; the text says which part."""


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """A rule that a resource breaks, in the named files of targets. Resources are named as in Reason."""

    check: str
    resource: str
    text: str
    files: tuple[str, ...]

    def __str__(self) -> str:
        """One line for a person."""
        return f"{self.check} {self.resource} ({', '.join(self.files)}): {self.text}"


def scan(folder: Path) -> list[Finding]:
    """Every finding in a folder of targets, skipped or not. Raises ScanError, NotInstalled."""
    checkov = environment.python("checkov", LOCK, compiled=True)
    # No configuration of the user's is read: home and working directory are the folder itself.
    given = {"PATH": os.environ["PATH"], "HOME": str(folder), "LOG_LEVEL": "WARNING", **_NOWHERE}
    command = (str(checkov), "-m", "checkov.main", "-d", str(folder), *_OPTIONS)
    done = subprocess.run(
        command, cwd=folder, env=given, capture_output=True, text=True, check=False
    )
    try:
        answer = json.loads(done.stdout)
    except ValueError as error:
        raise ScanError(f"checkov failed:\n{(done.stdout + done.stderr)[-2000:]}") from error
    reports = answer if isinstance(answer, list) else [answer]
    _complete(reports, folder)
    return sorted(_gathered([*_found(reports), *_crashed(done.stderr)]))


def problems(findings: Iterable[Finding], reasons: Iterable[Reason]) -> list[str]:
    """What fails: findings without a reason, reasons without a finding, reasons that are none."""
    given = list(reasons)
    accepted = {(one.check, one.resource): one for one in given}
    bad = [problem for one in given if (problem := one.problem())]
    found = {(one.check, one.resource): str(one) for one in findings}
    open_ = [text for key, text in found.items() if key not in accepted]
    idle = [
        f"{one.place}: {one.check} is accepted for {one.resource}, which does not break it"
        for key, one in accepted.items()
        if key not in found and one.problem() is None
    ]
    return sorted(open_) + bad + idle


def _complete(reports: list[dict[str, Any]], folder: Path) -> None:
    """Every kind of target was there, and rules were tried on every file."""
    if missing := set(FRAMEWORKS) - {report["check_type"] for report in reports}:
        raise ScanError(f"checkov checked nothing of {', '.join(sorted(missing))} in {folder}")
    tried = {
        one["file_path"].lstrip("/")
        for report in reports
        for kind in ("passed_checks", "failed_checks", "skipped_checks")
        for one in report["results"][kind]
    }
    if missing := {path.name for path in folder.iterdir() if path.is_file()} - tried:
        raise ScanError(f"checkov checked nothing of {', '.join(sorted(missing))}")
    if unread := [one for report in reports for one in report["results"]["parsing_errors"]]:
        raise ScanError(f"checkov could not read {', '.join(unread)}")


def _found(reports: list[dict[str, Any]]) -> Iterator[_Row]:
    for report in reports:
        results = report["results"]
        for one in (*results["failed_checks"], *results["skipped_checks"]):
            resource = _resource(report["check_type"], one["resource"])
            yield one["check_id"], resource, one["check_name"], one["file_path"].lstrip("/")


def _crashed(log: str) -> Iterator[_Row]:
    """A rule that could not be run is a finding; any other error means that the scan is void."""
    for line in _ERROR.findall(log):
        one = _CRASHED.search(line)
        if one is None:
            raise ScanError(f"checkov failed:\n{log[-2000:]}")
        framework = "terraform_plan" if one["file"].endswith(".json") else "kubernetes"
        resource = _resource(framework, one["resource"])
        yield one["check"], resource, "checkov could not run this rule", one["file"]


def _resource(framework: str, name: str) -> str:
    """type.name without an index; kind/name without the namespace."""
    if framework == "dockerfile":
        return DOCKERFILE
    if framework == "terraform_plan":
        return re.sub(r"\[[^]]*\]", "", name)
    kind, _, rest = name.partition(".")
    return f"{kind}/{rest.partition('.')[2]}"


def _gathered(found: list[_Row]) -> Iterator[Finding]:
    for check, resource, text in {one[:3] for one in found}:
        files = {one[3] for one in found if one[:3] == (check, resource, text)}
        yield Finding(check, resource, text, tuple(sorted(files)))
