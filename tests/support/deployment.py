"""A checkout of its own, and a Google Cloud of stand-ins to deploy it to.

tofu is real, with the offline provider and its state in a storage emulator; gcloud and kubectl are
small stand-ins; Google's Python clients are real and talk to small servers.
"""

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.api_core import exceptions

from infra import functions
from infra.offline import provider_build, schema, tofu
from tests.support.google_apis import GoogleApis, subscribe, trigger
from tests.support.google_http import GoogleHttp

TOOLS = Path(__file__).parent / "tools"
NUMBER = "123456789012"
REGION = "europe-west1"
ACCOUNT = "operator@berth.dev"
_CHECKOUT = ("functions", "infra", "k8s", "shared")
_numbers = itertools.count(1)


class Done:
    """A finished run of the command line."""

    def __init__(self, process):
        self.status, self.out, self.error = process.returncode, process.stdout, process.stderr

    def did(self):
        """What each step said it did."""
        lines = [one for one in self.out.splitlines() if one.rstrip().endswith(" s)")]
        return {one[:17].strip(): one[17:].rsplit("(", 1)[0].strip() for one in lines}


class Deployment:
    """One project. `pubsub` and `storage` are the emulators' addresses."""

    def __init__(self, folder, pubsub, storage):
        self.project, self.folder = f"deploy-{os.getpid()}-{next(_numbers)}", folder
        folder.mkdir(exist_ok=True)
        self.apis, self.http = GoogleApis(pubsub), GoogleHttp(storage)
        self.http.applied = self.applied
        self.checkout, self.cloud, self.bin = folder / "checkout", folder / "cloud", folder / "bin"
        self._copy()
        self._cloud()
        self._tools()
        self.environment = self._environment()

    def close(self):
        self.apis.close()
        self.http.close()

    def run(self, command="deploy", *options, env="dev", given="", **environment):
        """Run the command line as an operator would."""
        words = (sys.executable, TOOLS / "deploy.py", command, "--env", env, *options)
        return Done(
            subprocess.run(
                words,
                cwd=self.checkout,
                env={**self.environment, **environment},
                input=given,
                capture_output=True,
                text=True,
                check=False,
                timeout=280,
            )
        )

    def popen(self):
        """A deployment that runs by itself, in a process group of its own."""
        words = (sys.executable, TOOLS / "deploy.py", "deploy", "--env", "dev")
        return subprocess.Popen(
            words,
            cwd=self.checkout,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            # Whoever runs the tests in a shell's background has it ignored, and so would this process.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )

    def calls(self):
        """What the tools were asked since the last time this was asked."""
        log = self.cloud / "calls.log"
        lines = log.read_text().splitlines() if log.exists() else []
        log.write_text("")
        return lines

    def told(self, **changes):
        """Change what gcloud answers."""
        path = self.cloud / "cloud.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    def without(self, tool):
        (self.bin / tool).unlink()

    def objects(self):
        """What kubectl applied."""
        return json.loads((self.cloud / "cluster.json").read_text())

    def edit(self, path, old, new):
        """Change a file of the checkout."""
        text = (self.checkout / path).read_text()
        assert old in text
        (self.checkout / path).write_text(text.replace(old, new, 1))

    def nothing_was_made(self):
        return not (self.http.writes or self.apis.writes() or self.objects() or self.http.buckets)

    def end_state(self):
        """All that a deployment leaves, in the cloud as it is to the stand-ins."""
        clients = self.apis.subscriber()
        names = sorted(one.transport.pubsub.subscription for one in self.apis.triggers)
        return {
            "buckets": {
                name: (found.get("versioning"), found.get("iamConfiguration"))
                for name, found in self.http.buckets.items()
            },
            "objects": self.objects(),
            "images": json.loads((self.cloud / "cloud.json").read_text())["images"],
            "subscriptions": [str(clients.get_subscription(subscription=one)) for one in names],
            "grants": {name: str(self.apis.policies[name].bindings) for name in names},
            "jobs": sorted(self.apis.jobs),
            "templates": self.names("models", "templates/"),
        }

    def put(self, bucket, name, content):
        """Write an object, as somebody else would."""
        url = f"{self.http.storage}/upload/storage/v1/b/{bucket}/o"
        asked = {"uploadType": "media", "name": name}
        requests.post(url, params=asked, data=content, timeout=10).raise_for_status()

    def names(self, role, prefix=""):
        url = f"{self.http.storage}/storage/v1/b/{self.project}-berth-{role}/o"
        found = requests.get(url, params={"prefix": prefix}, timeout=10).json()
        return sorted(one["name"] for one in found.get("items", ()))

    def resources(self):
        """How many resources Terraform's state holds."""
        url = (
            f"{self.http.storage}/storage/v1/b/{self.project}-berth-state/o/berth%2Fdefault.tfstate"
        )
        found = requests.get(url, params={"alt": "media"}, timeout=10).json()["resources"]
        return sum(len(one["instances"]) for one in found if one["mode"] == "managed")

    def applied(self, shown):
        """What Google would have after Terraform's apply."""
        module = shown.get("values", {}).get("root_module", {})
        resources = [one for one in module.get("resources", ()) if one["mode"] == "managed"]
        kinds = {}
        for one in resources:
            kinds.setdefault(one["type"], []).append(one["values"])
        for one in kinds.get("google_storage_bucket", ()):
            self.http.create(one["name"])
        publisher = self.apis.publisher()
        for one in kinds.get("google_pubsub_topic", ()):
            try:
                publisher.create_topic(name=f"projects/{self.project}/topics/{one['name']}")
            except exceptions.AlreadyExists:
                continue
        self._events(kinds.get("google_cloudfunctions2_function", ()))
        self.told(
            clusters=[one["name"] for one in kinds.get("google_container_cluster", ())],
            repository=bool(kinds.get("google_artifact_registry_repository")),
        )
        if not kinds.get("google_container_cluster"):
            (self.cloud / "cluster.json").write_text("{}")

    def _events(self, deployed):
        """Eventarc makes a trigger and a subscription for a new function, and removes them with it."""
        wanted = {one["name"]: one["event_trigger"][0] for one in deployed if one["event_trigger"]}
        there = {one.destination.cloud_function.rsplit("/", 1)[1] for one in self.apis.triggers}
        for name in wanted.keys() - there:
            topic = wanted[name]["pubsub_topic"].rsplit("/", 1)[1]
            self.apis.triggers.append(trigger(self.project, REGION, name, topic))
            subscribe(self.apis, self.apis.triggers[-1])
        for one in list(self.apis.triggers):
            if one.destination.cloud_function.rsplit("/", 1)[1] not in wanted:
                self.apis.triggers.remove(one)
                name = one.transport.pubsub.subscription
                self.apis.subscriber().delete_subscription(subscription=name)
                self.apis.policies.pop(name, None)

    def _copy(self):
        ignored = shutil.ignore_patterns("__pycache__", ".terraform*", "*.tfstate*", "provider")
        for name in _CHECKOUT:
            shutil.copytree(functions.ROOT / name, self.checkout / name, ignore=ignored)
        (self.checkout / "tests" / "support").mkdir(parents=True)

    def _cloud(self):
        self.cloud.mkdir()
        state = {
            "configured": self.project,
            "account": ACCOUNT,
            "projects": {
                self.project: {
                    "describe": {"lifecycleState": "ACTIVE", "projectNumber": NUMBER},
                    "billing": True,
                }
            },
            "services": ["cloudresourcemanager.googleapis.com", "serviceusage.googleapis.com"],
            "clusters": [],
            "images": [],
            "repository": False,
        }
        (self.cloud / "cloud.json").write_text(json.dumps(state))
        (self.cloud / "cluster.json").write_text("{}")
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()
        login = {
            "type": "service_account",
            "project_id": self.project,
            "client_email": "operator@example.iam.gserviceaccount.com",
            "private_key": pem,
            "private_key_id": "1",
            "token_uri": f"{self.http.url}/token",
        }
        (self.cloud / "login.json").write_text(json.dumps(login))

    def _tools(self):
        self.bin.mkdir()
        for name in ("gcloud", "kubectl", "tofu"):
            (self.bin / name).write_text(
                f"#!{sys.executable}\nimport runpy\n"
                f"runpy.run_path({str(TOOLS / name)!r} + '.py', run_name='__main__')\n"
            )
        (self.bin / "gke-gcloud-auth-plugin").write_text("#!/bin/true\n")
        for one in self.bin.iterdir():
            one.chmod(0o755)

    def _environment(self):
        terraform = self.checkout / "infra" / "terraform"
        return {
            "PATH": str(self.bin),
            "HOME": str(self.folder),
            "PYTHONPATH": f"{self.checkout / 'shared'}:{self.checkout}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "BERTH_CACHE": str(Path.home() / ".cache" / "berth"),
            "FAKE_CLOUD": str(self.cloud),
            "REAL_KUBECTL": str(shutil.which("kubectl")),
            "REAL_TOFU": str(tofu.binary()),
            "TF_CLI_CONFIG_FILE": str(provider_build.mirror(schema.used(terraform))),
            "GOOGLE_STAND_IN": self.http.url,
            "GRPC_STAND_IN": self.apis.address,
            "GOOGLE_APPLICATION_CREDENTIALS": str(self.cloud / "login.json"),
            "STORAGE_EMULATOR_HOST": self.http.url,
            "GOOGLE_BACKEND_STORAGE_CUSTOM_ENDPOINT": f"{self.http.url}/storage/v1/",
            "TF_CPP_MIN_LOG_LEVEL": "2",
        }
