"""Runs the checks one after another, and says what each saw; docs/unproven.md lists them."""

import time
from collections.abc import Sequence

from infra.deploy.problems import EXPECTED, Refused
from infra.deploy.site import Site
from infra.smoke import cluster, ends, identities, platform
from infra.smoke.check import Check, Disproved
from infra.smoke.target import Target

CHECKS: tuple[Check, ...] = (
    *identities.CHECKS,
    *cluster.CHECKS,
    *ends.CHECKS,
    *platform.CHECKS,
)


def chosen(only: str) -> tuple[Check, ...]:
    """One check by its id, or all. Raises Refused for an id that is none."""
    found = tuple(one for one in CHECKS if only in ("", one.id))
    if not found:
        raise Refused(f"no check {only!r}: one of {', '.join(one.id for one in CHECKS)}")
    return found


def run(site: Site, only: str = "", checks: Sequence[Check] = ()) -> int:
    """Run them all, whatever fails; 0 when every claim holds, else 1."""
    target, failed = Target(site), 0
    for check in checks or chosen(only):
        began = time.monotonic()
        try:
            seen = f"proved     {check.prove(target)}"
        except (Disproved, *EXPECTED) as error:
            failed += 1
            seen = f"NOT PROVED {error}"
        site.say(f"{check.id:<18} {seen}  ({time.monotonic() - began:.1f} s)")
    site.say(f"{failed} not proved" if failed else "every claim holds")
    return 1 if failed else 0


def document() -> str:
    """docs/unproven.md."""
    rows = "\n".join(
        f"| `{one.id}` | {one.claim} | {one.why} | `make smoke ENV=dev ONLY={one.id}` |"
        for one in CHECKS
    )
    return f"""# What only the cloud can prove

Everything else is checked by `make test`. These claims are not: each says why, and names the command that
proves it against a real deployment. `make smoke ENV=dev` runs them all, goes on where one fails, and says what
it saw. Checks act in the functions' names by tokens of five minutes: whoever runs them needs
`roles/iam.serviceAccountTokenCreator` on the functions' accounts, for that time. They change nothing that
serves, and leave behind closed accounts named `smoke-<time>-...`.

| check | claim | why not here | command |
|---|---|---|---|
{rows}

This page is written by `python -m infra.smoke > docs/unproven.md`; a test holds it to the code.
"""
