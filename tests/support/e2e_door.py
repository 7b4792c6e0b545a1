"""A customer's application in front of the door of a stack: its key, predictions by REST and by gRPC, a steady load."""

import hashlib
import secrets
import time
from dataclasses import dataclass, field

import grpc
import requests

from berth.protos import tfserving_pb2 as tfs
from infra.demo.pace import Paced
from tests.support import e2e
from tests.support.e2e import until

PREDICT = "/tensorflow.serving.PredictionService/Predict"


class Caller:
    """One customer's key and what it asks. `join` makes the key known and waits until the door knows it."""

    def __init__(self, berth, customer):
        self.berth, self.customer = berth, customer
        self.key = f"berth_{customer}_{secrets.token_urlsafe(32)}"
        self.url = berth.stack.environment["BERTH_ROUTER_URL"]
        self.headers = {"authorization": f"Bearer {self.key}"}

    def join(self):
        digest = hashlib.sha256(self.key.encode()).hexdigest()
        self.berth.customer_event("customer.keys_changed", self.customer, keys=[digest])
        until(f"{self.customer}'s key is known", lambda: self.starter().status_code == 200)
        return self

    def starter(self):
        """Asks for the starter model's status: of all models the first to be there."""
        return self.get(f"{self.customer}.starter")

    def get(self, path):
        return requests.get(f"{self.url}/v1/models/{path}", headers=self.headers, timeout=30)

    def post(self, path, headers=None):
        told = self.headers if headers is None else headers
        url = f"{self.url}/v1/models/{path}"
        return requests.post(url, json=e2e.QUESTION, headers=told, timeout=30)

    def predict(self, path):
        answer = self.post(f"{path}:predict")
        assert answer.status_code == 200, answer.text
        return answer.json()["predictions"][0]

    def call(self, servable, label="", version=0):
        """The first number of the answer and the version that gave it, by gRPC; raises grpc.RpcError."""
        with grpc.insecure_channel(self.url.removeprefix("http://")) as channel:
            stub = channel.unary_unary(
                PREDICT,
                request_serializer=tfs.PredictRequest.SerializeToString,
                response_deserializer=tfs.PredictResponse.FromString,
            )
            answer = stub(
                question(servable, label, version),
                metadata=tuple(self.headers.items()),
                timeout=30,
            )
        (output,) = answer.outputs.values()
        return output.float_val[0], answer.model_spec.version.value


def question(servable, label="", version=0):
    """What every test asks, as a message."""
    asked = tfs.PredictRequest()
    asked.model_spec.name = servable
    if label:
        asked.model_spec.version_label = label
    if version:
        asked.model_spec.version.value = version
    tensor = asked.inputs["x"]
    tensor.dtype = 1
    tensor.tensor_shape.dim.add().size = 1
    tensor.float_val.append(2.0)
    return asked


@dataclass
class DoorLoad(Paced):
    """Predictions at a fixed rate through the door, by REST over kept connections; none is tried again."""

    caller: Caller
    path: str
    answers: tuple[float, ...]
    failures: list[str] = field(default_factory=list)

    def _send(self, times):
        with requests.Session() as session:
            session.headers.update(self.caller.headers)
            for _ in times:
                self.sent += 1
                self._one(session)

    def _one(self, session):
        url = f"{self.caller.url}/v1/models/{self.path}:predict"
        try:
            answer = session.post(url, json=e2e.QUESTION, timeout=30)
            right = answer.status_code == 200 and answer.json()["predictions"][0] in self.answers
        except requests.RequestException as error:
            self.failures.append(f"{time.monotonic() - self.began:.2f} s: {error}")
            return
        if not right:
            said = f"{answer.status_code} {answer.text[:200]}"
            self.failures.append(f"{time.monotonic() - self.began:.2f} s: {said}")
