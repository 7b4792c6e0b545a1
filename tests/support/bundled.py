"""Calls a staged bundle through functions-framework, in a process that has nothing else on its path."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Runs in the bundle's folder: -I keeps everything else off the path, the folder is put there as the platform does.
DRIVER = """
import json, sys
sys.path.insert(0, ".")
from functions_framework import create_app
name, kind, requests = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
client = create_app(name, "main.py", kind).test_client()
import berth
assert berth.__file__.startswith(sys.argv[4]), berth.__file__
for request in requests:
    path = request.pop("path", "/")
    answer = client.open(path, method=request.pop("method", "POST"), **request)
    print("ANSWER", json.dumps([answer.status_code, answer.get_data(as_text=True)]), flush=True)
"""
JSON = {"Content-Type": "application/json"}
NO_EVENT = {"headers": JSON, "data": "{}"}


@dataclass(frozen=True)
class Bundled:
    """One function of a staged bundle, and the interpreter whose packages it has."""

    python: Path
    folder: Path
    name: str
    is_http: bool

    def call(self, requests: list[Any], environment: dict[str, str]) -> tuple[list[Any], list[Any]]:
        """Send requests; return (status, text) of each and the log's lines."""
        kind = "http" if self.is_http else "cloudevent"
        given = (self.name, kind, json.dumps(requests), str(self.folder))
        done = subprocess.run(
            [str(self.python), "-I", "-c", DRIVER, *given],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        lines = done.stdout.splitlines()
        answers = [json.loads(x.removeprefix("ANSWER ")) for x in lines if x.startswith("ANSWER ")]
        assert len(answers) == len(requests), done.stdout + done.stderr
        return answers, [json.loads(line) for line in lines if line.startswith("{")]


def cloud_event(data: Any, identity: str = "e1") -> dict[str, Any]:
    """A Pub/Sub message as Eventarc brings it."""
    headers = {
        "ce-specversion": "1.0",
        "ce-type": "google.cloud.pubsub.topic.v1.messagePublished",
        "ce-source": "//pubsub.googleapis.com/projects/test/topics/t",
        "ce-id": identity,
        **JSON,
    }
    return {"headers": headers, "data": json.dumps(data)}
