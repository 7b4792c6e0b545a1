"""Builds the serving image by Cloud Build where the registry does not have it under its name."""

import json

from infra import image
from infra.deploy import shell
from infra.deploy.site import Site

# Where in the bucket of bundles Cloud Build finds what it builds from.
SOURCES = f"{image.NAME}/"
_ABSENT = ("NOT_FOUND", "not found", "does not exist")


def reference(site: Site) -> str:
    """The image's full name in the project's registry."""
    return f"{site.registry}/{image.tag()}"


def _there(site: Site) -> bool:
    """Whether the registry has it. Raises CommandFailed for any answer but yes and no."""
    ask = ("gcloud", "artifacts", "docker", "images", "describe", reference(site))
    try:
        shell.run((*ask, f"--project={site.project}", "--quiet"), log=site.log)
    except shell.CommandFailed as error:
        if any(text in error.full for text in _ABSENT):
            return False
        raise
    return True


def build(site: Site) -> str:
    """Build and push it if its name is missing; say what was done.

    As berth-builder, which reads sources from the bundles' bucket, writes images, and logs.
    """
    if _there(site):
        return "unchanged"
    config = site.folder / "cloudbuild.json"
    config.write_text(json.dumps(_config(site), indent=1))
    shell.follow(
        (
            *("gcloud", "builds", "submit", str(image.FOLDER), f"--config={config}"),
            f"--gcs-source-staging-dir=gs://{site.bucket('bundles')}/{image.NAME}",
            *(f"--project={site.project}", f"--region={site.region}", "--quiet"),
        ),
        site.log,
    )
    return f"built {reference(site)}"


def _config(site: Site) -> dict[str, object]:
    """The build: https://cloud.google.com/build/docs/build-config-file-schema."""
    account = f"berth-builder@{site.project}.iam.gserviceaccount.com"
    return {
        "steps": [
            {
                "name": "gcr.io/cloud-builders/docker",
                "args": ["build", f"--tag={reference(site)}", "."],
            }
        ],
        "images": [reference(site)],
        "serviceAccount": f"projects/{site.project}/serviceAccounts/{account}",
        "options": {"logging": "CLOUD_LOGGING_ONLY"},
        "timeout": "1800s",
    }


def dry(site: Site) -> list[str]:
    """What a build would do."""
    try:
        return [] if _there(site) else [f"build {reference(site)}"]
    except shell.CommandFailed as error:
        # The registry itself comes with the infrastructure.
        return [f"build {reference(site)} (the registry cannot be asked yet: {error.args[0]})"]
