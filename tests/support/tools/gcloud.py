"""A small gcloud: answers what a deployment asks, from a JSON file, in the real one's words.

FAKE_CLOUD is a folder with cloud.json (the state) and calls.log (what was asked).
"""

import json
import os
import sys
from pathlib import Path

import requests

FOLDER = Path(os.environ["FAKE_CLOUD"])
STATE = FOLDER / "cloud.json"


def fail(text, status=1):
    print(f"ERROR: {text}", file=sys.stderr)
    sys.exit(status)


def kubeconfig(words, cloud):
    if words[0] not in cloud["clusters"] or "--dns-endpoint" not in words:
        fail(f"(gcloud.container.clusters.get-credentials) ResponseError: code=404, {words[0]}")
    Path(os.environ["KUBECONFIG"]).write_text("apiVersion: v1\nkind: Config\n")


def describe_image(words, cloud):
    name = words[0]
    if not cloud["repository"]:
        fail("(gcloud.artifacts.docker.images.describe) NOT_FOUND: Requested entity was not found.")
    if name not in cloud["images"]:
        fail(f"(gcloud.artifacts.docker.images.describe) Image not found: {name}")
    print("image_summary: {}")


def build(words, cloud):
    config = next(one for one in words if one.startswith("--config=")).removeprefix("--config=")
    asked = json.loads(Path(config).read_text())
    if not (Path(words[0]) / "Dockerfile").is_file() or not cloud["repository"]:
        fail("(gcloud.builds.submit) INVALID_ARGUMENT")
    stage(next(one for one in words if one.startswith("--gcs-source-staging-dir=gs://")))
    cloud["images"] += asked["images"]
    STATE.write_text(json.dumps(cloud))


def stage(word):
    """Upload the sources, as the real one does; nobody removes them."""
    bucket, _, folder = word.partition("gs://")[2].partition("/")
    url = f"{os.environ['STORAGE_EMULATOR_HOST']}/upload/storage/v1/b/{bucket}/o"
    asked = {"uploadType": "media", "name": f"{folder.rstrip('/')}/1.tgz"}
    requests.post(url, params=asked, data=b"sources", timeout=20).raise_for_status()


def project(words, cloud):
    found = cloud["projects"].get(words[0])
    if found is None:
        fail(
            f"(gcloud.projects.describe) [{cloud['account']}] does not have permission to access "
            f"projects instance [{words[0]}] (or it may not exist)"
        )
    print(json.dumps({"projectId": words[0], **found["describe"]}))


def main():  # noqa: C901 - one branch a command
    words = sys.argv[1:]
    with (FOLDER / "calls.log").open("a") as log:
        log.write(" ".join(["gcloud", *words]) + "\n")
    cloud = json.loads(STATE.read_text())
    match words:
        case ["config", "get-value", "project", *_]:
            print(cloud["configured"] or "(unset)")
        case ["auth", "list", *_]:
            print(cloud["account"])
        case ["projects", "describe", *rest]:
            project(rest, cloud)
        case ["billing", "projects", "describe", name, *_]:
            print(json.dumps({"billingEnabled": cloud["projects"][name]["billing"]}))
        case ["services", "list", *_]:
            print("\n".join(cloud["services"]))
        case ["container", "clusters", "list", *_]:
            print("\n".join(cloud["clusters"]))
        case ["container", "clusters", "get-credentials", *rest]:
            kubeconfig(rest, cloud)
        case ["artifacts", "docker", "images", "describe", *rest]:
            describe_image(rest, cloud)
        case ["builds", "submit", *rest]:
            build(rest, cloud)
        case _:
            fail(f"(gcloud) Invalid choice: {' '.join(words)}", 2)


if __name__ == "__main__":
    main()
