"""Asks the status function of a deployment over HTTP, with an identity token where it is in the cloud."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from urllib.parse import urlsplit

import requests

from berth.cli.failures import Code, Failure

# The function's own time-out is 60 s (functions/functions.yaml).
TIMEOUT = (10.0, 65.0)
NO_URL = (
    "set BERTH_STATUS_URL or give --url; `make up` writes it into .local/env for the local stack"
)
INVOKERS = (
    "status_invokers in infra/terraform/env/<env>.tfvars names who may; add yourself and deploy"
)
TOKEN = "gcloud auth login, or set BERTH_IDENTITY_TOKEN"


@dataclass(frozen=True, slots=True)
class StatusFunction:
    """Where the status function is. `token` is an identity token; "" has gcloud make one, for https only."""

    url: str
    token: str = ""

    def ask(self, path: str, *, form: str) -> str:
        """Return the answer's text; `form` is json or text. Raises Failure."""
        where = self._base() + path
        try:
            answer = requests.get(
                where,
                params={"format": form},
                headers=self._headers(),
                timeout=TIMEOUT,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            what = f"the status function did not answer: {type(error).__name__}"
            do = "is this its URL, and is it up? `make up` starts the local one"
            raise Failure(Code.NOT_ANSWERED, what, where=where, do=do) from error
        if answer.status_code != 200:
            raise _refused(answer, where)
        return answer.text

    def _base(self) -> str:
        parts = urlsplit(self.url)
        if not self.url:
            raise Failure(Code.USAGE, "no URL of a status function", where="--url", do=NO_URL)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            what = f"{self.url!a} is no http or https URL"
            raise Failure(Code.USAGE, what, where="--url", do=NO_URL)
        if parts.scheme == "http" and self.token:
            what = "a token would go over http in clear"
            raise Failure(Code.USAGE, what, where=self.url, do="use the function's https URL")
        return self.url.rstrip("/")

    def _headers(self) -> dict[str, str]:
        if urlsplit(self.url).scheme == "http":
            return {}
        return {"Authorization": f"Bearer {self.token or _gcloud_token()}"}


def _gcloud_token() -> str:
    """The identity token of whoever is logged in. Raises Failure."""
    program = shutil.which("gcloud")
    if program is None:
        raise Failure(
            Code.NOT_ALLOWED, "no identity token", where="gcloud is not installed", do=TOKEN
        )
    command = (program, "auth", "print-identity-token", "--quiet")
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        where = " ".join(command[1:])
        raise Failure(
            Code.NOT_ALLOWED, "no identity token", where=f"gcloud {where}", do=TOKEN
        ) from error
    return done.stdout.strip()


def _refused(answer: requests.Response, where: str) -> Failure:
    reason = _reason(answer)
    if answer.status_code in (401, 403):
        what = f"you may not ask it ({answer.status_code})"
        return Failure(Code.NOT_ALLOWED, what, where=where, do=f"{INVOKERS}; or {TOKEN}")
    if answer.status_code == 404:
        do = (
            "look at the names: `berth plan` tells of all shards; is the URL the status function's?"
        )
        return Failure(Code.NOT_FOUND, reason or "there is no such thing", where=where, do=do)
    what = f"it answered with {answer.status_code}" + (f": {reason}" if reason else "")
    do = "ask again; if it goes on, its log says why (docs/operations.md)"
    return Failure(Code.NOT_ANSWERED, what, where=where, do=do)


def _reason(answer: requests.Response) -> str:
    """The reason that the function gives; "" where something else answered."""
    try:
        body = answer.json()
    except json.JSONDecodeError:
        return ""
    return str(body.get("reason", "")) if isinstance(body, dict) else ""
