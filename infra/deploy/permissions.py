"""Asks which of the permissions in permissions.yaml are missing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydantic
import requests
import yaml

from infra.deploy.site import Google

FILE = Path(__file__).with_name("permissions.yaml")
# https://cloud.google.com/resource-manager/reference/rest/v1/projects/testIamPermissions
_AT_ONCE = 100
_BUDGETS = ("billing.budgets.create", "billing.budgets.get", "billing.budgets.update")


class Group(pydantic.BaseModel):
    """Permissions that go together: what for, and the role that holds them."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    purpose: str = pydantic.Field(alias="for")
    role: str = pydantic.Field(pattern=r"^roles/[a-z]+\.[A-Za-z.]+$")
    resources: tuple[str, ...]
    permissions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lack:
    """A group of which something is missing."""

    purpose: str
    role: str
    missing: tuple[str, ...]


def read(path: Path = FILE) -> list[Group]:
    """The groups. Raises pydantic.ValidationError."""
    return pydantic.TypeAdapter(list[Group]).validate_python(yaml.safe_load(path.read_text()))


def lacks(groups: Iterable[Group], granted: Iterable[str]) -> list[Lack]:
    """The groups that are not complete. Pure."""
    have = set(granted)
    found = []
    for group in groups:
        if missing := tuple(one for one in group.permissions if one not in have):
            found.append(Lack(group.purpose, group.role, missing))
    return found


def granted(google: Google, project: str, asked: Sequence[str]) -> set[str]:
    """Which of the permissions the caller has on the project.

    Counts as granted what Google says is no permission of a project: that is for the call itself to
    find out. Raises requests.HTTPError where the project cannot be asked.
    """
    url = f"{google.projects_api}/projects/{project}:testIamPermissions"
    found: set[str] = set()
    for start in range(0, len(asked), _AT_ONCE):
        found |= _granted(google, url, asked[start : start + _AT_ONCE])
    return found


def may_budget(google: Google, account: str) -> tuple[str, ...]:
    """What the caller lacks on a billing account to make budgets. Raises requests.HTTPError."""
    url = f"{google.billing_api}/billingAccounts/{account}:testIamPermissions"
    have = _granted(google, url, _BUDGETS)
    return tuple(one for one in _BUDGETS if one not in have)


def _granted(google: Google, url: str, asked: Sequence[str]) -> set[str]:
    answer: Any = google.session.post(url, json={"permissions": list(asked)}, timeout=30)
    if answer.status_code == requests.codes.bad_request:
        # One name that is not a permission of this kind of thing spoils the whole question.
        if len(asked) == 1:
            return set(asked)
        half = len(asked) // 2
        return _granted(google, url, asked[:half]) | _granted(google, url, asked[half:])
    answer.raise_for_status()
    return set(answer.json().get("permissions", ()))
