"""What a deployment is about: the project, the environment's variables, the clients, the folders."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import google.auth
from google.api_core.client_options import ClientOptions
from google.auth.transport.requests import AuthorizedSession, Request
from google.cloud import eventarc_v1, pubsub_v1, scheduler_v1, storage

from infra import functions, subscriptions

ENVIRONMENTS = ("dev", "prod")
TERRAFORM = functions.ROOT / "infra" / "terraform"
BUILD = functions.ROOT / "build"
_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)


class Google:
    """Google's clients with the application default credentials, each made when first used.

    The project pays for the calls ("quota project"): the shared project behind a person's
    credentials has most services off.
    """

    projects_api = "https://cloudresourcemanager.googleapis.com/v1"
    billing_api = "https://cloudbilling.googleapis.com/v1"
    # Google's own list of its address ranges names every region, and asks for no login:
    # https://cloud.google.com/compute/docs/faq#find_ip_range
    regions_url = "https://www.gstatic.com/ipranges/cloud.json"

    def __init__(self, project: str) -> None:
        """Nothing is asked of Google yet."""
        self.project = project

    @cached_property
    def credentials(self) -> Any:  # noqa: ANN401 - google-auth has no types
        """Credentials with a fresh token. Raises google.auth.exceptions.GoogleAuthError."""
        found, _ = google.auth.default(scopes=_SCOPES, quota_project_id=self.project)
        found.refresh(Request())
        return found

    @cached_property
    def session(self) -> AuthorizedSession:
        """For the APIs that are asked by plain HTTP."""
        return AuthorizedSession(self.credentials)

    @cached_property
    def storage(self) -> storage.Client:
        """Cloud Storage."""
        return storage.Client(project=self.project, credentials=self.credentials)

    @cached_property
    def subscriptions(self) -> subscriptions.Clients:
        """Eventarc's triggers and Pub/Sub's subscriptions."""
        return subscriptions.Clients(
            eventarc_v1.EventarcClient(credentials=self.credentials, client_options=self._quota),
            pubsub_v1.SubscriberClient(credentials=self.credentials, client_options=self._quota),
        )

    @cached_property
    def scheduler(self) -> scheduler_v1.CloudSchedulerClient:
        """Cloud Scheduler."""
        return scheduler_v1.CloudSchedulerClient(
            credentials=self.credentials, client_options=self._quota
        )

    @property
    def _quota(self) -> ClientOptions:
        return ClientOptions(quota_project_id=self.project)


@dataclass(frozen=True, slots=True)
class Site:
    """One deployment. `variables` are the environment's, complete and checked by preflight.

    `folder` is for what this machine keeps of it (logs, plans, kubeconfig); nothing there is needed
    again. `number` is the project's.
    """

    project: str
    number: str
    environment: str
    variables: Mapping[str, Any]
    google: Google
    folder: Path
    say: Callable[[str], None] = print

    @property
    def region(self) -> str:
        """The region of everything."""
        return str(self.variables["region"])

    @property
    def state_bucket(self) -> str:
        """The bucket of Terraform's state."""
        return state_bucket(self.project)

    @property
    def registry(self) -> str:
        """The image registry's host and project."""
        return f"{self.region}-docker.pkg.dev/{self.project}"

    @property
    def log(self) -> Path:
        """Everything that the tools said."""
        return self.folder / "log"

    @property
    def kubeconfig(self) -> Path:
        """How kubectl finds this cluster, and no other."""
        return self.folder / "kubeconfig"

    def bucket(self, role: str) -> str:
        """The name of one of the buckets: uploads, models, control or bundles."""
        return f"{self.project}-berth-{role}"


def state_bucket(project: str) -> str:
    """The bucket of a project's Terraform state."""
    return f"{project}-berth-state"


def folder(project: str) -> Path:
    """Where this machine keeps what it needs of a deployment."""
    return BUILD / "deploy" / (project or "unknown")
