"""Asks for known vulnerabilities of everything that is locked, with pip-audit.

An answer counts only from a service that knows a fault which is known to be known: pip-audit calls a
package that the service does not know unaudited, and then says that it found no vulnerability.
Exit codes: 0 nothing found, 1 something found, 3 nobody could be asked.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.dependencies import accepted, environment, locks, pip_settings

LOCK = locks.TOOLS / "pip-audit.lock"
UNREACHABLE = 3
SERVICES = ("pypi", "osv")
# CVE-2018-18074 of requests, fixed in 2.20.0; the hash is not looked at.
_CONTROL = f"requests==2.19.1 --hash=sha256:{'0' * 64}\n"
_OPTIONS = ("--disable-pip", "--require-hashes", "--format", "json", "--progress-spinner", "off")


class Unreachable(RuntimeError):
    """No service of vulnerabilities answers; the text says what each one did."""


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """A known vulnerability of a locked package; `names` are its identifiers, the main one first."""

    package: str
    version: str
    names: tuple[str, ...]
    fixed: tuple[str, ...]

    def __str__(self) -> str:
        """One line for a person."""
        fixed = f"fixed in {', '.join(self.fixed)}" if self.fixed else "not fixed"
        return f"{self.package} {self.version}: {' '.join(self.names)} ({fixed})"


def service() -> str:
    """The first service that knows the control's fault. Raises Unreachable."""
    said = []
    for name in SERVICES:
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as control:
            control.write(_CONTROL)
            control.flush()
            try:
                if faults(_ask(name, Path(control.name))):
                    return name
            except Unreachable as error:
                said.append(f"{name}: {error}")
            else:
                said.append(f"{name}: answers, but does not know a fault of 2018")
    raise Unreachable("\n".join(said))


def run() -> list[Fault]:
    """Every known fault of every lock. Raises Unreachable where one package could not be asked about."""
    name = service()
    tools = sorted(locks.TOOLS.glob("*.lock"))
    found = {fault for lock in (locks.PROJECT, *tools) for fault in faults(_ask(name, lock))}
    return sorted(found)


def faults(report: Mapping[str, Any]) -> list[Fault]:
    """The faults of pip-audit's report. Raises Unreachable naming what was not audited."""
    skipped = [one for one in report["dependencies"] if "skip_reason" in one]
    if skipped:
        first = skipped[0]["skip_reason"]
        raise Unreachable(f"{len(skipped)} of {len(report['dependencies'])} not audited: {first}")
    return [
        Fault(
            package["name"],
            package["version"],
            (one["id"], *one.get("aliases", ())),
            tuple(one.get("fix_versions", ())),
        )
        for package in report["dependencies"]
        for one in package["vulns"]
    ]


def problems(found: Iterable[Fault], reasons: Mapping[str, str]) -> list[str]:
    """Faults without a reason in accepted.yaml, and reasons for what is not found."""
    given = list(found)
    names = {name for fault in given for name in fault.names}
    idle = [f"accepted.yaml: {name} is no fault of what is locked" for name in reasons]
    open_ = [str(fault) for fault in given if not reasons.keys() & set(fault.names)]
    return open_ + [text for name, text in zip(reasons, idle, strict=True) if name not in names]


def _ask(name: str, requirements: Path) -> dict[str, Any]:
    tool = environment.python("pip-audit", LOCK)
    command = (str(tool), "-m", "pip_audit", "-s", name, *_OPTIONS, "-r", str(requirements))
    done = subprocess.run(command, env=_environment(), capture_output=True, text=True, check=False)
    try:
        report: dict[str, Any] = json.loads(done.stdout)
    except ValueError as error:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise Unreachable(lines[-1]) from error
    return report


def _environment() -> dict[str, str]:
    """This process's environment, with the certificates that pip was told of."""
    told = pip_settings.translate(environment.pip_options(), os.environ)
    certificates = told.get("SSL_CERT_FILE") or told.get("SSL_CERT_DIR")
    given = {"REQUESTS_CA_BUNDLE": certificates} if certificates else {}
    proxies = {key: value for key, value in told.items() if key.endswith("_PROXY")}
    return {**os.environ, **given, **proxies}


def main() -> None:
    """Audit, print, exit."""
    try:
        found = run()
    except Unreachable as error:
        print(f"not audited: no service of vulnerabilities answers\n{error}", file=sys.stderr)
        sys.exit(UNREACHABLE)
    if bad := problems(found, accepted.read().vulnerabilities):
        sys.exit("\n".join(bad))
    print(f"no known vulnerability but {len(found)} accepted ones")


if __name__ == "__main__":
    main()
