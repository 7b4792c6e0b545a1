"""What is missing before anything can be made, and the errors that a step may end with."""

from collections.abc import Iterable
from dataclasses import dataclass

import requests
from google.api_core.exceptions import GoogleAPIError
from google.auth.exceptions import GoogleAuthError

from berth.domain.errors import BerthError
from infra.bundle import BundleError
from infra.deploy.shell import CommandFailed
from infra.manifests import ManifestError
from infra.schedules import ScheduleError
from infra.subscriptions import SubscriptionsError


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is missing or wrong, and the command (or the edit) that mends it."""

    what: str
    mend: str


class NotReady(RuntimeError):
    """Preflight found problems; nothing was made."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        """All of them."""
        self.problems = tuple(problems)
        count = len(self.problems)
        head = f"not ready: {count} problem{'s' if count > 1 else ''}; nothing was made or changed"
        lines = [
            f"  {number}. {one.what}\n       {one.mend}"
            for number, one in enumerate(self.problems, start=1)
        ]
        super().__init__("\n".join([head, *lines]))


class Refused(RuntimeError):
    """What was asked for is not done, for the reason in the text."""


# What the world may answer; all else is a bug and is shown as one.
EXPECTED = (
    BerthError,
    BundleError,
    CommandFailed,
    GoogleAPIError,
    GoogleAuthError,
    ManifestError,
    OSError,
    Refused,
    ScheduleError,
    SubscriptionsError,
    requests.RequestException,
)
