"""Runs the steps one after another and tells what each did, and how long it took."""

import time
from collections.abc import Iterable

from infra.deploy.problems import EXPECTED
from infra.deploy.site import Site
from infra.deploy.steps import Step


class StepFailed(RuntimeError):
    """A step ended with an error; what was done before it stays, and need not be done again."""

    def __init__(self, step: Step, error: BaseException, site: Site) -> None:
        """The step, its cause, and the deployment."""
        super().__init__(
            f"step '{step.name}' failed: {error}\n"
            f"  everything said by the tools: {site.log}\n"
            f"  look at: {step.look}\n"
            "  run the same command again when the cause is mended: it goes on with this step"
        )


def carry_out(steps: Iterable[Step], site: Site) -> None:
    """Do every step. Raises StepFailed at the first that fails."""
    for step in steps:
        began = time.monotonic()
        try:
            did = step.do(site)
        except EXPECTED as error:
            raise StepFailed(step, error, site) from error
        site.say(f"{step.name:<17} {did}  ({time.monotonic() - began:.1f} s)")


def foretell(steps: Iterable[Step], site: Site) -> int:
    """Say what every step would do; returns how many things that are. Changes nothing."""
    count = 0
    for step in steps:
        try:
            would = step.dry(site)
        except EXPECTED as error:
            raise StepFailed(step, error, site) from error
        count += len(would)
        site.say(f"{step.name:<17} {'unchanged' if not would else ''}".rstrip())
        for one in would:
            site.say(f"    {one}")
    return count
