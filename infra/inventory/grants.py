"""Every grant of a deployment: who may do what, on what, under which condition."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from infra import subscriptions
from infra.inventory.source import Inventory, Resource

_IAM = re.compile(r"_(iam_(member|binding|policy|audit_config)|acl|access_control|acl_rule)$")
# The kinds of grants that Berth uses: what each is on, and the attribute that names it.
_ON = {
    "google_artifact_registry_repository_iam_member": ("repository", "repository"),
    "google_cloud_run_v2_service_iam_member": ("function", "name"),
    "google_project_iam_member": ("project", "project"),
    "google_pubsub_topic_iam_member": ("topic", "topic"),
    "google_storage_bucket_iam_member": ("bucket", "bucket"),
    "google_storage_managed_folder_iam_member": ("folder", "managed_folder"),
}


class UnknownGrant(ValueError):
    """Terraform has a kind of grant that the inventory does not know how to tell."""


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """`member` gets `role` on `resource`, which is of the kind `level`; `condition` is "" for none.

    `maker` is the address in Terraform, or the step of `make deploy`.
    """

    member: str
    level: str
    resource: str
    role: str
    condition: str
    maker: str


def grants(inventory: Inventory) -> tuple[Grant, ...]:
    """All of them, in order of member, level, resource. Raises UnknownGrant."""
    return tuple(sorted([*_terraform(inventory), *_deployed(inventory)]))


def _terraform(inventory: Inventory) -> Iterator[Grant]:
    for one in inventory.resources:
        if _IAM.search(one.kind):
            yield _grant(one)


def _grant(one: Resource) -> Grant:
    if one.kind not in _ON:
        raise UnknownGrant(f"{one.address}: add {one.kind} to infra/inventory/grants.py")
    level, attribute = _ON[one.kind]
    name = one.values[attribute]
    if level == "folder":
        name = f"{one.values['bucket']}/{name}"
    return Grant(
        member=one.values["member"],
        level=level,
        resource=name,
        role=one.values["role"],
        condition=" ".join(row["expression"] for row in one.values.get("condition") or ()),
        maker=one.address,
    )


def _deployed(inventory: Inventory) -> Iterator[Grant]:
    agent = inventory.outputs["pubsub_agent"]
    for function in inventory.functions.values():
        if not function.is_http:
            yield Grant(
                member=agent,
                level="subscription",
                resource=f"of Eventarc's trigger of {function.name}",
                role=subscriptions.SUBSCRIBER,
                condition="",
                maker="make deploy (infra/subscriptions.py)",
            )
