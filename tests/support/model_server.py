"""A TensorFlow model server as a process, spoken to by gRPC, REST, log and exit code alone.

BERTH_TFS_BINARY names the command to test; without it, the stand-in of the local stack is.
"""

import contextlib
import http.client
import json
import os
import shlex
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple

import grpc
from google.protobuf import text_format

from berth.protos import tfserving_pb2 as pb
from infra.local import ports

HOST = "127.0.0.1"
# gRPC methods: service, request and response.
METHODS = {
    "Predict": ("PredictionService", pb.PredictRequest, pb.PredictResponse),
    "GetModelMetadata": (
        "PredictionService",
        pb.GetModelMetadataRequest,
        pb.GetModelMetadataResponse,
    ),
    "GetModelStatus": ("ModelService", pb.GetModelStatusRequest, pb.GetModelStatusResponse),
    "HandleReloadConfigRequest": ("ModelService", pb.ReloadConfigRequest, pb.ReloadConfigResponse),
}


class Answer(NamedTuple):
    code: int
    headers: dict
    body: bytes

    def json(self):
        return json.loads(self.body)


class Version(NamedTuple):
    state: str
    code: int = 0
    message: str = ""


AVAILABLE = Version("AVAILABLE")
GONE = Version("END")


def eventually(condition, seconds=20.0, what="the condition"):
    """Poll until `condition` gives something true; that is the result."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < deadline, f"{what} did not come true within {seconds} s"
        time.sleep(0.02)


def always(condition, seconds):
    """Assert that `condition` holds for as long as `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert condition()
        time.sleep(0.05)


def free_ports(count):
    """Free ports that no other worker of the same run chooses."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    mine = [port for port in ports.free(32 * workers * count) if port % workers == worker]
    return mine[:count]


def config(*models):
    """ModelServerConfig of (name, base path, the rest as text)."""
    listed = []
    for name, path, *rest in models:
        text = " ".join(rest)
        platform = (
            ""
            if "model_platform" in text or "model_type" in text
            else 'model_platform: "tensorflow"'
        )
        listed.append(f'config {{ name: "{name}" base_path: "{path}" {platform} {text} }}')
    return text_format.Parse(f"model_config_list {{ {' '.join(listed)} }}", pb.ModelServerConfig())


class ModelServer:
    """One server process; `folder` gets its output and its config file."""

    def __init__(self, folder: Path, *flags, models=None, env=None, **named):
        self.folder = folder
        self.port, self.rest_port = free_ports(2)
        self.config_file = folder / "models.config"
        given = {"port": self.port, "rest_api_port": self.rest_port}
        if models is not None:
            self.write_config(models)
            given["model_config_file"] = self.config_file
        command = shlex.split(
            os.environ.get("BERTH_TFS_BINARY") or f"{sys.executable} -m infra.local.tfserving"
        )
        command += [f"--{key}={_text(value)}" for key, value in (given | named).items()] + [*flags]
        self._out = (folder / "stdout").open("wb")
        self._err = (folder / "stderr").open("wb")
        settings = {**os.environ, "PYTHONPATH": "shared:.", "TF_CPP_MIN_LOG_LEVEL": "0"}
        self.process = subprocess.Popen(
            command, stdout=self._out, stderr=self._err, env={**settings, **(env or {})}
        )
        self._channel = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        if self._channel:
            self._channel.close()
        self._out.close()
        self._err.close()

    # The process

    def write_config(self, models):
        text = models if isinstance(models, str) else text_format.MessageToString(models)
        temporary = self.config_file.with_suffix(".new")
        temporary.write_text(text)
        temporary.replace(self.config_file)

    def ready(self, seconds=30.0):
        """Wait until both ports are open."""

        def opened():
            assert self.process.poll() is None, self.stdout() + self.log()
            return is_open(self.port) and is_open(self.rest_port)

        eventually(opened, seconds, "the server's ports opening")
        return self

    def exit_code(self, seconds=30.0):
        return self.process.wait(seconds)

    def stdout(self):
        return (self.folder / "stdout").read_text()

    def log(self):
        return (self.folder / "stderr").read_text(errors="replace")

    # gRPC

    def call(self, method, request, seconds=20.0):
        service, _, response = METHODS[method]
        return self.stub(service, method, response)(request, timeout=seconds)

    def stub(self, service, method, response=None):
        return self.stub_of(f"tensorflow.serving.{service}", method, response)

    def stub_of(self, service, method, response=None):
        """A callable for a method; without `response` the answer is bytes. Requests may be bytes."""
        self._channel = self._channel or grpc.insecure_channel(f"{HOST}:{self.port}")
        return self._channel.unary_unary(
            f"/{service}/{method}",
            request_serializer=lambda each: (
                each if isinstance(each, bytes) else each.SerializeToString()
            ),
            response_deserializer=response.FromString if response else None,
        )

    def reload(self, new, seconds=20.0, metrics=()):
        request = pb.ReloadConfigRequest(config=new, metric_names=metrics)
        return self.call("HandleReloadConfigRequest", request, seconds)

    def reload_in_background(self, new, seconds=20.0):
        """Starts a reload; the returned thread has its error, if any, in `.error`."""
        thread = threading.Thread(target=lambda: _keep_error(thread, self, new, seconds))
        thread.error = None
        thread.start()
        return thread

    def versions(self, name):
        """Version -> state, in the order of the answer; nothing if the name was never seen."""
        request = pb.GetModelStatusRequest(model_spec=pb.ModelSpec(name=name))
        try:
            answer = self.call("GetModelStatus", request)
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                return {}
            raise
        return {
            each.version: Version(
                pb.ModelVersionStatus.State.Name(each.state),
                each.status.error_code,
                each.status.error_message,
            )
            for each in answer.model_version_status
        }

    def wait_for(self, name, version, state=AVAILABLE, seconds=20.0):
        eventually(
            lambda: self.versions(name).get(version) == state,
            seconds,
            f"version {version} of {name} being {state}",
        )

    # REST

    def rest(self, method, path, body=None, headers=None, seconds=20):
        if isinstance(body, dict):
            body = json.dumps(body)
        connection = http.client.HTTPConnection(HOST, self.rest_port, timeout=seconds)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read())

    def predict(self, target, body):
        return self.rest("POST", f"/v1/models/{target}:predict", body)


def is_open(port):
    with socket.socket() as attempt:
        return attempt.connect_ex((HOST, port)) == 0


def outcome(answer):
    """The HTTP code and the error's text, or the whole body if it is no error."""
    return answer.code, answer.json().get("error", answer.json())


def refused(call, *arguments, **named):
    """The code's name and the details of a gRPC error."""
    try:
        call(*arguments, **named)
    except grpc.RpcError as error:
        return error.code().name, error.details()
    raise AssertionError("the call succeeded")


def _keep_error(thread, server, new, seconds):
    try:
        server.reload(new, seconds)
    except grpc.RpcError as error:
        thread.error = (error.code().name, error.details())


def _text(value):
    return str(value).lower() if isinstance(value, bool) else str(value)
