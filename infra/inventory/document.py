"""The inventory as one Markdown text, in an order that does not depend on anything but names."""

import itertools
import json
from collections.abc import Iterator

from infra.inventory.grants import grants
from infra.inventory.identities import uses
from infra.inventory.markdown import cell, code, table
from infra.inventory.resources import tables
from infra.inventory.source import ENVIRONMENT, EXAMPLES, Inventory
from infra.manifests import Object
from infra.offline.workspace import PROJECT

_HEAD = f"""\
# Inventory

What `make deploy ENV={ENVIRONMENT}` would make in a project named `{PROJECT}` (number 123456789012), and what it
would let whom do. `make inventory` writes this file from `infra/terraform` with
`env/{ENVIRONMENT}.tfvars`, `infra/schedules.yaml` and the `{ENVIRONMENT}` overlay of `k8s/`, without an account: a test
holds it to them. What a deployment must choose is filled with examples:
"""
_PROJECT_LEVEL = """\
## Grants on the whole project

Nobody but two machine identities and the operators has one, because Google offers no narrower level for what they do.
"""


def render(inventory: Inventory) -> str:
    """The text of docs/inventory.md."""
    parts = [
        _HEAD
        + "\n"
        + "\n".join(f"* `{name}`: {cell(EXAMPLES[name])}" for name in sorted(EXAMPLES)),
        _identities(inventory),
        _PROJECT_LEVEL + "\n" + _grants(inventory, project=True),
        "## Grants on one resource\n\n" + _grants(inventory, project=False),
        "## Roles of Berth's own\n\n" + table(["Role", "Permissions"], _own_roles(inventory)),
        "## Kubernetes\n\n" + "\n\n".join(_kubernetes(inventory)),
        _schedules(inventory),
        "## Resources\n\n" + "\n\n".join(tables(inventory)),
    ]
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


def _identities(inventory: Inventory) -> str:
    about = {one.values["email"]: one.values for one in inventory.of("google_service_account")}
    rows = [
        [code(email), about.get(email, {}).get("description"), used or "nothing"]
        for email, used in uses(inventory).items()
    ]
    return "## Identities\n\n" + table(["Service account", "For", "Runs"], rows)


def _grants(inventory: Inventory, *, project: bool) -> str:
    permissions = {
        f"projects/{PROJECT}/roles/{role}": f"{role} ({cell(allowed)})"
        for role, allowed in _own_roles(inventory)
    }
    shown = [one for one in grants(inventory) if (one.level == "project") == project]
    parts = []
    for member, held in itertools.groupby(shown, key=lambda one: one.member):
        rows = [
            [
                f"{one.level} {one.resource}",
                permissions.get(one.role, one.role),
                code(one.condition),
                one.maker,
            ]
            for one in held
        ]
        headings = ["On", "Role", "Only if", "Made by"]
        parts.append(f"### {code(member)}\n\n{table(headings, rows)}")
    return "\n\n".join(parts)


def _own_roles(inventory: Inventory) -> list[tuple[str, list[str]]]:
    roles = inventory.of("google_project_iam_custom_role")
    return sorted((one.values["role_id"], sorted(one.values["permissions"])) for one in roles)


def _schedules(inventory: Inventory) -> str:
    rows = [
        [
            one.name,
            code(one.schedule),
            one.time_zone,
            one.topic,
            code(json.dumps(one.data)),
            one.paused,
        ]
        for one in sorted(inventory.schedules, key=lambda one: one.name)
    ]
    headings = ["Schedule", "When", "Zone", "Topic", "Message", "Paused"]
    return "## Schedules\n\n" + table(headings, rows)


def _kubernetes(inventory: Inventory) -> Iterator[str]:
    bound = [one for one in inventory.objects if one["kind"].endswith("RoleBinding")]
    yield "### Who is bound\n\n" + table(
        ["Binding", "Subject", "Role"],
        sorted(
            [_name(one), f"{who['kind']} {who['name']}", f"{ref['kind']} {ref['name']}"]
            for one in bound
            for ref in [one["roleRef"]]
            for who in one.get("subjects") or ()
        ),
    )
    roles = [one for one in inventory.objects if one["kind"] in {"Role", "ClusterRole"}]
    yield "### What roles allow\n\n" + table(
        ["Role", "API group", "Resources", "Names", "Verbs"],
        sorted(
            [
                _name(one),
                cell([group or "core" for group in rule.get("apiGroups") or ()]),
                cell(rule.get("resources") or rule.get("nonResourceURLs")),
                cell(rule.get("resourceNames")),
                cell(rule.get("verbs")),
            ]
            for one in roles
            for rule in one["rules"]
        ),
    )
    yield "### Objects\n\n" + table(
        ["Kind", "Name"], sorted(_kind(one) for one in inventory.objects)
    )


def _name(one: Object) -> str:
    namespace = one["metadata"].get("namespace")
    name = one["metadata"]["name"]
    return f"{one['kind']} {namespace}/{name}" if namespace else f"{one['kind']} {name}"


def _kind(one: Object) -> list[str]:
    kind, _, name = _name(one).partition(" ")
    return [kind, name]
