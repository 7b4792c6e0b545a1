"""Takes a deployment away, all but what cannot be had back: data buckets, services, the state."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from google.api_core.exceptions import NotFound

from infra.deploy import serving_image
from infra.deploy.problems import EXPECTED, Refused
from infra.deploy.site import Site
from infra.deploy.steps import UNCHANGED, Step, bring_schedules
from infra.deploy.terraform import Terraform

# The data buckets with the folders in them, and the services, which others may use.
KEPT = (
    "google_project_service.",
    "google_storage_bucket.control",
    "google_storage_bucket.models",
    "google_storage_bucket.uploads",
    "google_storage_managed_folder.",
)


@dataclass(frozen=True, slots=True)
class Left:
    """Something that stays, and how a person removes it."""

    what: str
    remove: str


def targets(addresses: Iterable[str]) -> list[str]:
    """What of a state is to be destroyed. Pure."""
    return [one for one in addresses if not one.startswith(KEPT)]


def protected(values: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The resources that refuse to be destroyed, by the state's word. Pure."""
    return [address for address, one in values.items() if one.get("deletion_protection") is True]


def left(site: Site) -> list[Left]:
    """What stays after a destroy."""
    found = [
        Left(f"gs://{site.bucket(role)}", f"gcloud storage rm --recursive gs://{site.bucket(role)}")
        for role in ("uploads", "models", "control")
    ]
    return [
        *found,
        Left(
            f"gs://{site.state_bucket} (Terraform's state; it knows the buckets: remove it last)",
            f"gcloud storage rm --recursive gs://{site.state_bucket}",
        ),
        Left(
            "the services that were turned on",
            f"gcloud services list --enabled --project={site.project}; gcloud services disable NAME",
        ),
    ]


def _schedules(site: Site) -> str:
    return ", ".join(bring_schedules(site, ())) or UNCHANGED


def _infrastructure(site: Site) -> str:
    terraform = Terraform(site)
    wanted = targets(terraform.addresses())
    if not wanted:
        return UNCHANGED
    plan = terraform.plan(*wanted, destroy=True)
    gone = [address for verb, address in plan.changes if verb != "update"]
    if kept := [address for address in gone if address not in wanted]:
        raise Refused(
            f"the plan would destroy what stays: {', '.join(kept)}; nothing was destroyed"
        )
    _sources(site)
    terraform.apply(plan)
    return f"destroyed {len(gone)} resources"


def _sources(site: Site) -> None:
    """Remove what Cloud Build was given: Terraform destroys no bucket that holds others' objects."""
    bucket = site.google.storage.bucket(site.bucket("bundles"))
    try:
        for prefix in serving_image.SOURCES:
            for blob in bucket.list_blobs(prefix=prefix):
                blob.delete()
    except NotFound:
        return  # the bucket went in an earlier run


STEPS = (
    Step("schedules", _schedules, lambda _: [], "gcloud scheduler jobs list --location=<region>"),
    Step(
        "infrastructure",
        _infrastructure,
        lambda _: [],
        "addresses of functions in the subnetwork stay reserved for an hour or two after the "
        "function is gone: then run it again",
    ),
)


def refuse_protected(site: Site) -> None:
    """Raise Refused for a deployment that protects itself."""
    terraform = Terraform(site)
    try:
        terraform.init()
        found = protected(terraform.values())
    except EXPECTED as error:
        raise Refused(f"the state cannot be read: {error}") from error
    if found:
        environment = site.environment
        raise Refused(
            f"{', '.join(found)}: protected against deletion. To destroy it all the same: set "
            f"deletion_protection = false in infra/terraform/env/{environment}.tfvars, "
            f"make deploy ENV={environment}, then make destroy ENV={environment}"
        )
