"""What the command line does."""

import time
from collections.abc import Callable

from infra.deploy import destroy as destruction
from infra.deploy import preflight, progress
from infra.deploy.problems import Refused
from infra.deploy.site import Google
from infra.deploy.steps import STEPS

Say = Callable[[str], None]


def deploy(google: Google, project: str, environment: str, say: Say = print) -> None:
    """Bring the project to what this checkout says. Raises NotReady or StepFailed."""
    began = time.monotonic()
    site = preflight.check(google, project, environment, say)
    say(f"{environment} in {project}, {site.region}: all that is needed is there")
    progress.carry_out(STEPS, site)
    say(f"deployed in {time.monotonic() - began:.0f} s; make smoke ENV={environment} looks closer")


def plan(google: Google, project: str, environment: str, say: Say = print) -> int:
    """Say what a deploy would do, and how many things that are. Changes nothing in the cloud."""
    site = preflight.check(google, project, environment, say)
    count = progress.foretell(STEPS, site)
    say(f"{count} changes" if count else "nothing to change")
    return count


def destroy(
    google: Google, project: str, environment: str, confirm: Callable[[str], str], say: Say = print
) -> None:
    """Take it away. `confirm` asks a person for the project's name. Raises NotReady, Refused."""
    site = preflight.check(google, project, environment, say)
    if google.storage.lookup_bucket(site.state_bucket) is None:
        raise Refused(f"there is no gs://{site.state_bucket}: nothing was deployed to {project}")
    destruction.refuse_protected(site)
    asked = f"this destroys Berth in {project}, all but its data. Type the project's name: "
    if confirm(asked).strip() != project:
        raise Refused("that is not the project's name: nothing was destroyed")
    progress.carry_out(destruction.STEPS, site)
    say("what is left, and how to remove it by hand:")
    for one in destruction.left(site):
        say(f"  {one.what}\n      {one.remove}")
