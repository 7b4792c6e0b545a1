"""The deployment under check: its identities, its cluster, its functions, as the operator reaches them."""

import contextlib
import json
import os
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import requests
from google.auth import impersonated_credentials
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import AuthorizedSession, Request
from google.cloud import pubsub_v1

from infra.deploy import serving_image, shell
from infra.deploy.cluster import Cluster
from infra.deploy.site import Site
from infra.local import setup
from infra.smoke.check import Disproved, until
from infra.smoke.journey import Door, Journey

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_FORWARDED = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")


class Target:
    """What the checks ask of a deployment; every part is made when it is first asked for."""

    def __init__(self, site: Site) -> None:
        """Nothing is asked yet."""
        self.site = site
        self.project = site.project
        # A name of this run's own, for what a check makes and removes.
        self.name = f"smoke-{int(time.time())}"

    def email(self, identity: str) -> str:
        """A service account's address."""
        return f"{identity}@{self.project}.iam.gserviceaccount.com"

    def acting_as(self, identity: str) -> AuthorizedSession:
        """A session with a token of five minutes for a service account. Raises Disproved."""
        credentials = impersonated_credentials.Credentials(
            self.site.google.credentials, self.email(identity), [_SCOPE], lifetime=300
        )
        try:
            credentials.refresh(Request())
        except GoogleAuthError as error:
            raise Disproved(
                f"you may not act as {self.email(identity)}: gcloud iam service-accounts "
                f"add-iam-policy-binding {self.email(identity)} --project={self.project} "
                "--member=user:YOU --role=roles/iam.serviceAccountTokenCreator "
                f"(and take it away again afterwards): {error}"
            ) from error
        return AuthorizedSession(credentials)

    def caller(self, identity: str, audience: str) -> str:
        """An identity token of a service account for one function."""
        url = (
            "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/"
            f"{self.email(identity)}:generateIdToken"
        )
        body = {"audience": audience, "includeEmail": True}
        return str(self.read("POST", url, body)["token"])

    def read(self, method: str, url: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Ask a Google API as the operator. Raises Disproved where it refuses."""
        answer = self.site.google.session.request(method, url, json=body, timeout=60)
        if not answer.ok:
            raise Disproved(f"{method} {url}: {answer.status_code} {answer.text[:300]}")
        found: dict[str, Any] = answer.json()
        return found

    def uri(self, service: str) -> str:
        """Where a function is called."""
        where = f"projects/{self.project}/locations/{self.site.region}/services/{service}"
        return str(self.read("GET", f"https://run.googleapis.com/v2/{where}")["uri"])

    @cached_property
    def own_token(self) -> str:
        """The operator's identity token."""
        return shell.run(("gcloud", "auth", "print-identity-token", "--quiet")).stdout.strip()

    def status(self, path: str) -> tuple[int, dict[str, Any]]:
        """Ask the status function."""
        answer = requests.get(
            self._status_uri + path,
            headers={"Authorization": f"Bearer {self.own_token}"},
            timeout=60,
        )
        if answer.status_code in (401, 403):
            raise Disproved(
                f"you may not ask {self._status_uri}: add yourself to status_invokers in "
                f"infra/terraform/env/{self.site.environment}.tfvars and deploy"
            )
        return answer.status_code, answer.json()

    @cached_property
    def _status_uri(self) -> str:
        return self.uri("berth-status")

    @cached_property
    def image(self) -> str:
        """The serving image's full name."""
        return serving_image.reference(self.site)

    def kubectl(self, *words: str, given: str = "") -> str:
        """What kubectl says. Raises shell.CommandFailed."""
        return shell.run(self._kubectl(*words), given=given, environment=self._environment).stdout

    def _kubectl(self, *words: str) -> tuple[str, ...]:
        return ("kubectl", "--namespace=berth", *words)

    @cached_property
    def _environment(self) -> dict[str, str]:
        if not Cluster(self.site).connect():
            raise Disproved("there is no cluster")
        return {"KUBECONFIG": str(self.site.kubeconfig)}

    def serving_pods(self, shard: str = "") -> list[dict[str, Any]]:
        """The ready serving pods. Raises Disproved where there is none."""
        wanted = "app.kubernetes.io/name=tensorflow-serving,app.kubernetes.io/managed-by=berth"
        wanted += f",berth.dev/shard={shard}" if shard else ""
        listed = json.loads(self.kubectl("get", "pods", "-l", wanted, "-o", "json"))["items"]
        ready = [one for one in listed if _ready(one)]
        if not ready:
            raise Disproved(f"no ready serving pod{f' of {shard}' if shard else ''}")
        return ready

    def run_pod(self, pod: Mapping[str, Any]) -> str:
        """Run a pod to its end; what it printed. It is gone afterwards. Raises Disproved."""
        with self._run(pod) as name:
            return self.kubectl("logs", name)

    def ended(self, pod: Mapping[str, Any]) -> dict[str, Any]:
        """Run a pod to its end; the pod as the cluster tells it then. Raises Disproved."""
        with self._run(pod) as name:
            found: dict[str, Any] = json.loads(self.kubectl("get", "pod", name, "-o", "json"))
            return found

    @contextmanager
    def _run(self, pod: Mapping[str, Any]) -> Iterator[str]:
        name = pod["metadata"]["name"]
        self.kubectl("create", "-f", "-", given=json.dumps(pod))
        try:
            until(f"pod {name}", lambda: self._phase(name) in ("Succeeded", "Failed"), seconds=300)
            yield name
        finally:
            self.kubectl("delete", "pod", name, "--wait=false", "--ignore-not-found")

    def _phase(self, name: str) -> str:
        return self.kubectl("get", "pod", name, "-o", "jsonpath={.status.phase}")

    @contextmanager
    def forwarded(self, pod: str) -> Iterator[str]:
        """The REST port of a pod on this machine, as a URL."""
        environment = {**os.environ, **self._environment}
        with subprocess.Popen(
            self._kubectl("port-forward", f"pod/{pod}", ":8501", "--address=127.0.0.1"),
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            assert process.stdout is not None
            try:
                line = process.stdout.readline()
                found = _FORWARDED.search(line)
                if found is None:
                    raise Disproved(f"kubectl port-forward: {line.strip()}")
                yield f"http://127.0.0.1:{found[1]}"
            finally:
                process.terminate()

    def predict(self, shard: str, path: str, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """Ask one server of a shard."""
        pod = self.serving_pods(shard)[0]["metadata"]["name"]
        with self.forwarded(pod) as url:
            answer = requests.post(url + path, json=body, timeout=60)
        with contextlib.suppress(requests.JSONDecodeError):
            return answer.status_code, answer.json()
        return answer.status_code, {}

    def journey(self, what: str) -> Journey:
        """A customer of this run's own."""
        topic = f"projects/{self.project}/topics/customer-events"
        publisher = pubsub_v1.PublisherClient(credentials=self.site.google.credentials)

        def tell(event: Mapping[str, Any]) -> None:
            publisher.publish(topic, json.dumps(dict(event)).encode()).result(timeout=60)

        uploads = self.site.google.storage.bucket(self.site.bucket("uploads"))
        door = Door(uploads, tell, self.status, self.predict)
        return Journey(door, f"{self.name}-{what}", setup.starter(self.site.say))

    def series(self, metric: str, **asked: str) -> list[dict[str, Any]]:
        """Time series of Cloud Monitoring over the last day, aligned into one point.

        `asked` are `aggregation.` parameters and `filter`: https://cloud.google.com/monitoring/api/ref_v3/rest/v3/projects.timeSeries/list
        """
        minutes = int(asked.pop("minutes", "1440"))
        now = time.time()
        form = "%Y-%m-%dT%H:%M:%SZ"
        wanted = f'metric.type = "{metric}" AND ' + asked.pop("filter")
        parameters = {
            "filter": wanted,
            "interval.startTime": time.strftime(form, time.gmtime(now - minutes * 60)),
            "interval.endTime": time.strftime(form, time.gmtime(now)),
            "aggregation.alignmentPeriod": f"{minutes * 60}s",
            **{f"aggregation.{key}": one for key, one in asked.items()},
        }
        url = f"https://monitoring.googleapis.com/v3/projects/{self.project}/timeSeries"
        prepared = requests.Request("GET", url, params=parameters).prepare()
        return list(self.read("GET", str(prepared.url)).get("timeSeries", ()))


def _ready(pod: Mapping[str, Any]) -> bool:
    conditions = pod["status"].get("conditions", ())
    going = "deletionTimestamp" in pod["metadata"]
    return not going and any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
