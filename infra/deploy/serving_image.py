"""Builds the images of servers and routers by Cloud Build where the registry does not have them under their names."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from infra import image, router_image
from infra.deploy import shell
from infra.deploy.site import Site

# Where in the bucket of bundles Cloud Build finds what it builds from.
SOURCES = (f"{image.NAME}/", f"{router_image.NAME}/")
_ABSENT = ("NOT_FOUND", "not found", "does not exist")


@dataclass(frozen=True, slots=True)
class Built:
    """An image: its name, its tag, and the folder it is built from."""

    name: str
    tag: Callable[[], str]
    folder: Callable[[Path], Path]


SERVERS = Built(image.NAME, image.tag, lambda _: image.FOLDER)
ROUTERS = Built(router_image.NAME, router_image.tag, lambda here: router_image.gather(here))


def reference(site: Site, one: Built = SERVERS) -> str:
    """The image's full name in the project's registry."""
    return f"{site.registry}/{one.tag()}"


def _there(site: Site, one: Built) -> bool:
    """Whether the registry has it. Raises CommandFailed for any answer but yes and no."""
    ask = ("gcloud", "artifacts", "docker", "images", "describe", reference(site, one))
    try:
        shell.run((*ask, f"--project={site.project}", "--quiet"), log=site.log)
    except shell.CommandFailed as error:
        if any(text in error.full for text in _ABSENT):
            return False
        raise
    return True


def build(site: Site, one: Built = SERVERS) -> str:
    """Build and push it if its name is missing; say what was done.

    As berth-builder, which reads sources from the bundles' bucket, writes images, and logs.
    """
    if _there(site, one):
        return "unchanged"
    config = site.folder / "cloudbuild.json"
    config.write_text(json.dumps(_config(site, one), indent=1))
    folder = one.folder(site.folder / "router-image")
    shell.follow(
        (
            *("gcloud", "builds", "submit", str(folder), f"--config={config}"),
            f"--gcs-source-staging-dir=gs://{site.bucket('bundles')}/{one.name}",
            *(f"--project={site.project}", f"--region={site.region}", "--quiet"),
        ),
        site.log,
    )
    return f"built {reference(site, one)}"


def build_router(site: Site) -> str:
    """The same for the routers' image."""
    return build(site, ROUTERS)


def _config(site: Site, one: Built = SERVERS) -> dict[str, object]:
    """The build: https://cloud.google.com/build/docs/build-config-file-schema."""
    account = f"berth-builder@{site.project}.iam.gserviceaccount.com"
    return {
        "steps": [
            {
                "name": "gcr.io/cloud-builders/docker",
                "args": ["build", f"--tag={reference(site, one)}", "."],
            }
        ],
        "images": [reference(site, one)],
        "serviceAccount": f"projects/{site.project}/serviceAccounts/{account}",
        "options": {"logging": "CLOUD_LOGGING_ONLY"},
        "timeout": "1800s",
    }


def dry(site: Site, one: Built = SERVERS) -> list[str]:
    """What a build would do."""
    wanted = f"build {reference(site, one)}"
    try:
        return [] if _there(site, one) else [wanted]
    except shell.CommandFailed as error:
        # The registry itself comes with the infrastructure.
        return [f"{wanted} (the registry cannot be asked yet: {error.args[0]})"]


def dry_router(site: Site) -> list[str]:
    """The same for the routers' image."""
    return dry(site, ROUTERS)
